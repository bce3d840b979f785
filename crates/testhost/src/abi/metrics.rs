//! Metrics and the log.

use super::{Done, Guest, memory, status};
use crate::status::Status;
use crate::vm::State;
use wasmtime::Linker;

fn define_metric(guest: &mut Guest<'_>, kind: i32, name: (i32, i32), place: i32) -> Done {
    let name = memory::read(guest, name.0, name.1)?;
    let world = guest.data().world.clone();
    let id = world
        .borrow_mut()
        .metrics
        .define(kind.cast_unsigned(), &name)?;
    memory::write_u32(guest, place, id)
}

fn get_metric(guest: &mut Guest<'_>, metric: i32, place: i32) -> Done {
    let value = guest
        .data()
        .world
        .borrow()
        .metrics
        .get(metric.cast_unsigned());
    let value = value.ok_or(Status::NotFound)?;
    memory::write(guest, place, &value.to_le_bytes())
}

fn log(guest: &Guest<'_>, level: i32, line: (i32, i32)) -> Done {
    let line = memory::text(guest, line.0, line.1)?;
    let state = guest.data();
    let mut world = state.world.borrow_mut();
    world.log(state.place, level.cast_unsigned(), line);
    Ok(())
}

fn checked(answer: Status) -> Done {
    match answer {
        Status::Ok => Ok(()),
        other => Err(other.into()),
    }
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut guest: Guest<'_>, kind: i32, name: i32, size: i32, place: i32| {
            status(define_metric(&mut guest, kind, (name, size), place))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |guest: Guest<'_>, metric: i32, by: i64| {
            let mut world = guest.data().world.borrow_mut();
            status(checked(world.metrics.increment(metric.cast_unsigned(), by)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |guest: Guest<'_>, metric: i32, value: i64| {
            let mut world = guest.data().world.borrow_mut();
            let metric = metric.cast_unsigned();
            status(checked(world.metrics.record(metric, value.cast_unsigned())))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |mut guest: Guest<'_>, metric: i32, place: i32| {
            status(get_metric(&mut guest, metric, place))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_log",
        |guest: Guest<'_>, level: i32, line: i32, size: i32| {
            status(log(&guest, level, (line, size)))
        },
    )?;
    Ok(())
}
