//! The part of WASI preview 1 that Rust's standard library reaches for: clock, randomness,
//! environment, output and the end.

use super::{Done, Guest, Stop, memory};
use crate::status::Status;
use crate::vm::State;
use wasmtime::Linker;

const BAD_FILE: i32 = 8;
const FAULT: i32 = 21;
/// What a message on standard error is logged as: critical.
const CRITICAL: u32 = 5;
/// The longest buffer that `random_get` fills in one call.
const MAX_RANDOM: i32 = 1 << 16;

fn errno(done: Done) -> wasmtime::Result<i32> {
    match done {
        Ok(()) => Ok(0),
        Err(Stop::Status(_)) => Ok(FAULT),
        Err(Stop::Trap(why)) => Err(wasmtime::Error::msg(why)),
    }
}

fn random(guest: &mut Guest<'_>, address: i32, length: i32) -> Done {
    if !(0..=MAX_RANDOM).contains(&length) {
        return Err(Status::BadArgument.into());
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    guest.data().world.borrow_mut().random.fill(&mut bytes);
    memory::write(guest, address, &bytes)
}

fn clock(guest: &mut Guest<'_>, place: i32) -> Done {
    let now = guest.data().world.borrow().wall_clock();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    memory::write(guest, place, &nanoseconds.to_le_bytes())
}

/// The environment as WASI lays it out: `name=value` with a NUL behind each.
fn environment(state: &State) -> Vec<Vec<u8>> {
    let line = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
    state.environment.iter().map(line).collect()
}

fn environment_sizes(guest: &mut Guest<'_>, count: i32, size: i32) -> Done {
    let lines = environment(guest.data());
    let total: usize = lines.iter().map(Vec::len).sum();
    for (place, number) in [(count, lines.len()), (size, total)] {
        memory::write_u32(guest, place, u32::try_from(number).unwrap_or(u32::MAX))?;
    }
    Ok(())
}

fn environment_get(guest: &mut Guest<'_>, mut pointers: i32, mut text: i32) -> Done {
    for line in environment(guest.data()) {
        memory::write_u32(guest, pointers, text.cast_unsigned())?;
        memory::write(guest, text, &line)?;
        pointers = pointers.wrapping_add(4);
        text = text.wrapping_add(i32::try_from(line.len()).unwrap_or(i32::MAX));
    }
    Ok(())
}

/// Standard output and standard error go to the log, the latter as critical.
fn fd_write(guest: &mut Guest<'_>, file: u32, vectors: (i32, i32), written: i32) -> Done {
    let size = vectors.1.checked_mul(8).ok_or(Status::BadArgument)?;
    let vectors = memory::read(guest, vectors.0, size)?;
    let mut text = Vec::new();
    for vector in vectors.chunks_exact(8) {
        if let Some((address, length)) = vector.split_at_checked(4)
            && let (Ok(address), Ok(length)) = (address.try_into(), length.try_into())
        {
            let (address, length) = (i32::from_le_bytes(address), i32::from_le_bytes(length));
            text.extend(memory::read(guest, address, length)?);
        }
    }
    let state = guest.data();
    let line = String::from_utf8_lossy(&text).trim_end().to_owned();
    let level = if file == 2 { CRITICAL } else { 2 };
    if !line.is_empty() {
        state.world.borrow_mut().log(state.place, level, line);
    }
    memory::write_u32(
        guest,
        written,
        u32::try_from(text.len()).unwrap_or(u32::MAX),
    )
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let module = "wasi_snapshot_preview1";
    linker.func_wrap(
        module,
        "random_get",
        |mut guest: Guest<'_>, address: i32, length: i32| {
            errno(random(&mut guest, address, length))
        },
    )?;
    linker.func_wrap(
        module,
        "clock_time_get",
        |mut guest: Guest<'_>, _clock: i32, _precision: i64, place: i32| {
            errno(clock(&mut guest, place))
        },
    )?;
    linker.func_wrap(
        module,
        "environ_sizes_get",
        |mut guest: Guest<'_>, count: i32, size: i32| {
            errno(environment_sizes(&mut guest, count, size))
        },
    )?;
    linker.func_wrap(
        module,
        "environ_get",
        |mut guest: Guest<'_>, pointers: i32, text: i32| {
            errno(environment_get(&mut guest, pointers, text))
        },
    )?;
    linker.func_wrap(
        module,
        "fd_write",
        |mut guest: Guest<'_>, file: i32, vectors: i32, count: i32, written: i32| match file {
            1 | 2 => errno(fd_write(
                &mut guest,
                file.cast_unsigned(),
                (vectors, count),
                written,
            )),
            _ => Ok(BAD_FILE),
        },
    )?;
    linker.func_wrap(
        module,
        "proc_exit",
        |_: Guest<'_>, code: i32| -> wasmtime::Result<()> {
            Err(wasmtime::Error::msg(format!(
                "the filter exited with {code}"
            )))
        },
    )?;
    Ok(())
}
