//! Buffers: bodies and the configuration.

use super::{Done, Guest, memory, status};
use crate::status::Status;
use crate::vm::State;
use wasmtime::Linker;

const REQUEST_BODY: i32 = 0;
const CALL_REPLY_BODY: i32 = 4;
const CONFIGURATION: i32 = 7;

fn buffer(state: &State, which: i32) -> Done<Vec<u8>> {
    match which {
        REQUEST_BODY => {
            let world = state.world.borrow();
            let stream = state
                .stream()
                .and_then(|id| world.streams.get(&id))
                .and_then(|stream| stream.body());
            Ok(stream.ok_or(Status::NotFound)?.to_vec())
        }
        CALL_REPLY_BODY => {
            let reply = state.reply.as_ref().ok_or(Status::NotFound)?;
            Ok(reply.body.clone().ok_or(Status::BadArgument)?)
        }
        CONFIGURATION => Ok(state.configuration.clone().ok_or(Status::NotFound)?),
        _ => Err(Status::NotFound.into()),
    }
}

fn get(guest: &mut Guest<'_>, which: i32, range: (i32, i32), place: (i32, i32)) -> Done {
    let bytes = buffer(guest.data(), which)?;
    let [start, length] = [range.0, range.1]
        .map(|number| usize::try_from(number.cast_unsigned()).unwrap_or(usize::MAX));
    let end = start.saturating_add(length).min(bytes.len());
    let part = bytes.get(start..end).unwrap_or_default();
    memory::give(guest, part, place.0, place.1)
}

/// Replaces a part of the request's body; a part beyond its end is appended.
fn set(guest: &Guest<'_>, which: i32, range: (i32, i32), value: (i32, i32)) -> Done {
    let value = memory::read(guest, value.0, value.1)?;
    let state = guest.data();
    let id = state.stream().filter(|_| which == REQUEST_BODY);
    let id = id.ok_or(Status::BadArgument)?;
    let mut world = state.world.borrow_mut();
    let stream = world.streams.get_mut(&id).ok_or(Status::BadArgument)?;
    let body = if stream.buffering {
        &mut stream.held
    } else {
        stream.chunk.as_mut().ok_or(Status::NotFound)?
    };
    let [start, length] = [range.0, range.1]
        .map(|number| usize::try_from(number.cast_unsigned()).unwrap_or(usize::MAX));
    let start = start.min(body.len());
    let end = start.saturating_add(length).min(body.len());
    body.splice(start..end, value);
    Ok(())
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut guest: Guest<'_>, which: i32, start: i32, size: i32, address: i32, length: i32| {
            status(get(&mut guest, which, (start, size), (address, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |guest: Guest<'_>, which: i32, start: i32, size: i32, value: i32, length: i32| {
            status(set(&guest, which, (start, size), (value, length)))
        },
    )?;
    Ok(())
}
