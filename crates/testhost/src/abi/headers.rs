//! Header and trailer maps.

use super::{Done, Guest, memory, status};
use crate::Personality;
use crate::headers::Headers;
use crate::status::Status;
use crate::vm::State;
use crate::world::World;
use wasmtime::Linker;

/// Kong's engine shows no more pairs than this (observed); all are sent on.
const WASMX_SHOWN: usize = 100;

const REQUEST: i32 = 0;
const REQUEST_TRAILERS: i32 = 1;
const CALL_REPLY: i32 = 6;
const CALL_REPLY_TRAILERS: i32 = 7;

/// The map that a call may read; `None` where there is none now.
fn map(guest: &Guest<'_>, map: i32) -> Option<Headers> {
    let state = guest.data();
    if let CALL_REPLY | CALL_REPLY_TRAILERS = map {
        let reply = state.reply.as_ref()?;
        let headers = match map {
            CALL_REPLY => &reply.headers,
            _ => &reply.trailers,
        };
        return Some(headers.clone());
    }
    let world = state.world.borrow();
    let stream = world.streams.get(&state.stream()?)?;
    stream.map(map.cast_unsigned()).cloned()
}

fn pairs(guest: &mut Guest<'_>, which: i32, address: i32, length: i32) -> Done {
    let headers = map(guest, which).unwrap_or_default();
    let personality = guest.data().world.borrow().personality;
    let wire = match personality {
        _ if headers.is_empty() => Vec::new(),
        Personality::Envoy => headers.to_wire(),
        Personality::WasmX => headers.truncated(WASMX_SHOWN).to_wire(),
    };
    memory::give(guest, &wire, address, length)
}

fn value(guest: &mut Guest<'_>, which: i32, name: (i32, i32), place: (i32, i32)) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let headers = map(guest, which).ok_or(Status::BadArgument)?;
    let value = headers.first(&name).ok_or(Status::NotFound)?;
    memory::give(guest, value, place.0, place.1)
}

/// Changes the map that is shown and the one that is sent.
fn change(guest: &Guest<'_>, which: i32, change: impl Fn(&mut Headers, Side)) -> Done {
    let state = guest.data();
    let id = state.stream().ok_or(Status::BadArgument)?;
    let mut world = state.world.borrow_mut();
    let World {
        personality,
        streams,
        ..
    } = &mut *world;
    let stream = streams.get_mut(&id).ok_or(Status::BadArgument)?;
    match which {
        REQUEST if stream.head_open => {
            change(&mut stream.shown, Side::Shown);
            let sent = match personality {
                Personality::Envoy => Side::Shown,
                Personality::WasmX => Side::WasmXSent,
            };
            change(&mut stream.sent, sent);
            Ok(())
        }
        REQUEST_TRAILERS if stream.trailers.is_some() => {
            if let Some(trailers) = &mut stream.trailers {
                change(trailers, Side::Shown);
            }
            Ok(())
        }
        _ => Err(Status::BadArgument.into()),
    }
}

/// Whose copy of a map is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Shown,
    /// What Kong's engine sends on: removing has no effect there, and replacing changes only
    /// the first of a name (observed).
    WasmXSent,
}

fn add(guest: &Guest<'_>, which: i32, name: (i32, i32), value: (i32, i32)) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let value = memory::read(guest, value.0, value.1)?;
    change(guest, which, |headers, _| headers.add(&name, &value))
}

fn replace(guest: &Guest<'_>, which: i32, name: (i32, i32), value: (i32, i32)) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let value = memory::read(guest, value.0, value.1)?;
    change(guest, which, |headers, side| match side {
        Side::Shown => headers.replace(&name, &value),
        Side::WasmXSent => headers.replace_first(&name, &value),
    })
}

fn remove(guest: &Guest<'_>, which: i32, name: (i32, i32)) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    change(guest, which, |headers, side| {
        if side == Side::Shown {
            headers.remove(&name);
        }
    })
}

fn set_pairs(guest: &Guest<'_>, which: i32, pairs: (i32, i32)) -> Done {
    let wire = memory::read(guest, pairs.0, pairs.1)?;
    let pairs = Headers::from_wire(&wire).ok_or(Status::BadArgument)?;
    change(guest, which, |headers, _| *headers = pairs.clone())
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut guest: Guest<'_>, map: i32, address: i32, length: i32| {
            status(pairs(&mut guest, map, address, length))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut guest: Guest<'_>, map: i32, name: i32, size: i32, address: i32, length: i32| {
            status(value(&mut guest, map, (name, size), (address, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |guest: Guest<'_>, map: i32, name: i32, size: i32, value: i32, length: i32| {
            status(add(&guest, map, (name, size), (value, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |guest: Guest<'_>, map: i32, name: i32, size: i32, value: i32, length: i32| {
            status(replace(&guest, map, (name, size), (value, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |guest: Guest<'_>, map: i32, name: i32, size: i32| {
            status(remove(&guest, map, (name, size)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |guest: Guest<'_>, map: i32, pairs: i32, size: i32| {
            status(set_pairs(&guest, map, (pairs, size)))
        },
    )?;
    Ok(())
}
