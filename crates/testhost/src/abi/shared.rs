//! Shared data and shared queues.

use super::{Done, Guest, Stop, memory, status, trap};
use crate::shared_data::NoRoom;
use crate::status::Status;
use crate::vm::State;
use crate::world::Due;
use wasmtime::Linker;

fn get(guest: &mut Guest<'_>, key: (i32, i32), place: (i32, i32), cas: i32) -> Done {
    let key = memory::read(guest, key.0, key.1)?;
    let world = guest.data().world.clone();
    let (value, version) = {
        let world = world.borrow();
        if world.data.is_missing() {
            return trap("no shared memory is configured");
        }
        let (value, version) = world.data.get(&key).ok_or(Status::NotFound)?;
        (value.to_vec(), version)
    };
    memory::give(guest, &value, place.0, place.1)?;
    memory::write_u32(guest, cas, version)
}

fn set(guest: &Guest<'_>, key: (i32, i32), value: (i32, i32), cas: i32) -> Done {
    let key = memory::read(guest, key.0, key.1)?;
    let value = memory::read(guest, value.0, value.1)?;
    let mut world = guest.data().world.borrow_mut();
    if world.data.is_missing() {
        return trap("no shared memory is configured");
    }
    match world.data.set(&key, &value, cas.cast_unsigned()) {
        Ok(Status::Ok) => Ok(()),
        Ok(other) => Err(other.into()),
        Err(NoRoom) => trap("a value that doesn't fit into shared memory"),
    }
}

fn register(guest: &mut Guest<'_>, name: (i32, i32), place: i32) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let state = guest.data();
    let owner = (state.serial, state.root());
    let id = state.world.borrow_mut().queues.register(&name, owner);
    memory::write_u32(guest, place, id)
}

/// The VM's id in front of the queue's name is left out: all VMs here have the same.
fn resolve(guest: &mut Guest<'_>, name: (i32, i32), place: i32) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let id = guest.data().world.borrow().queues.resolve(&name);
    memory::write_u32(guest, place, id.ok_or(Status::NotFound)?)
}

fn enqueue(guest: &Guest<'_>, queue: i32, message: (i32, i32)) -> Done {
    let message = memory::read(guest, message.0, message.1)?;
    let mut world = guest.data().world.borrow_mut();
    let queue = queue.cast_unsigned();
    let (vm, root) = world.queues.enqueue(queue, &message)?;
    let latency = world.queue_latency;
    world.schedule(latency, Due::Queue { vm, root, queue });
    Ok(())
}

fn dequeue(guest: &mut Guest<'_>, queue: i32, place: (i32, i32)) -> Done {
    let world = guest.data().world.clone();
    let message = world.borrow_mut().queues.dequeue(queue.cast_unsigned());
    memory::give(guest, &message.map_err(Stop::Status)?, place.0, place.1)
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut guest: Guest<'_>, key: i32, size: i32, address: i32, length: i32, cas: i32| {
            status(get(&mut guest, (key, size), (address, length), cas))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |guest: Guest<'_>, key: i32, size: i32, value: i32, length: i32, cas: i32| {
            status(set(&guest, (key, size), (value, length), cas))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |mut guest: Guest<'_>, name: i32, size: i32, place: i32| {
            status(register(&mut guest, (name, size), place))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |mut guest: Guest<'_>, _vm: i32, _vm_size: i32, name: i32, size: i32, place: i32| {
            status(resolve(&mut guest, (name, size), place))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |guest: Guest<'_>, queue: i32, message: i32, size: i32| {
            status(enqueue(&guest, queue, (message, size)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |mut guest: Guest<'_>, queue: i32, address: i32, length: i32| {
            status(dequeue(&mut guest, queue, (address, length)))
        },
    )?;
    Ok(())
}
