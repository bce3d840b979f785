//! Properties and the clock.

use super::{Done, Guest, memory, status, trap};
use crate::Personality;
use crate::status::Status;
use crate::vm::State;
use wasmtime::Linker;

/// Properties of a request that its head tells.
const FROM_HEAD: [(&[u8], &str); 4] = [
    (b"request\0path", ":path"),
    (b"request\0method", ":method"),
    (b"request\0host", ":authority"),
    (b"request\0scheme", ":scheme"),
];

fn get(guest: &mut Guest<'_>, path: (i32, i32), place: (i32, i32)) -> Done {
    let path = memory::read(guest, path.0, path.1)?;
    // Some SDKs end the path with a NUL.
    let path = path.strip_suffix(b"\0").unwrap_or(&path);
    let state = guest.data();
    let world = state.world.clone();
    let world = world.borrow();
    let stream = state.stream().and_then(|id| world.streams.get(&id));
    if world.personality == Personality::WasmX && stream.is_none() {
        return trap("get_property in a root context");
    }
    let from_head = stream.and_then(|stream| {
        let (_, name) = FROM_HEAD.iter().find(|(known, _)| *known == path)?;
        // What the client sent: the filter's changes aren't in it.
        stream.sent.first(name.as_bytes()).map(<[u8]>::to_vec)
    });
    let value = stream
        .and_then(|stream| stream.properties.get(path).cloned())
        .or_else(|| world.properties.get(path).cloned())
        .or(from_head);
    drop(world);
    memory::give(guest, &value.ok_or(Status::NotFound)?, place.0, place.1)
}

/// What a filter sets under `name` is filter state `wasm.name`, and is read back as `name`.
fn set(guest: &Guest<'_>, path: (i32, i32), value: (i32, i32)) -> Done {
    let path = memory::read(guest, path.0, path.1)?;
    let value = memory::read(guest, value.0, value.1)?;
    let state = guest.data();
    let id = state.stream().ok_or(Status::NotFound)?;
    let mut world = state.world.borrow_mut();
    let stream = world.streams.get_mut(&id).ok_or(Status::NotFound)?;
    stream.properties.insert(path, value);
    Ok(())
}

fn now(guest: &mut Guest<'_>, place: i32) -> Done {
    let now = guest.data().world.borrow().wall_clock();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    memory::write(guest, place, &nanoseconds.to_le_bytes())
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut guest: Guest<'_>, path: i32, size: i32, address: i32, length: i32| {
            status(get(&mut guest, (path, size), (address, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |guest: Guest<'_>, path: i32, size: i32, value: i32, length: i32| {
            status(set(&guest, (path, size), (value, length)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut guest: Guest<'_>, place: i32| status(now(&mut guest, place)),
    )?;
    Ok(())
}
