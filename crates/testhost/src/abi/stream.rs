//! What a filter does with a request, and with its own time.

use super::{Done, Guest, memory, status, trap};
use crate::Personality;
use crate::headers::Headers;
use crate::request::LocalReply;
use crate::status::Status;
use crate::vm::{After, Context, State};
use crate::world::Due;
use std::time::Duration;
use wasmtime::Linker;

const REQUEST: i32 = 0;
const RESPONSE: i32 = 1;

/// Kong's engine has no effective context: acting on a request from elsewhere takes the whole
/// worker down (observed).
fn forbid_elsewhere(state: &State) -> Done {
    let wasmx = state.world.borrow().personality == Personality::WasmX;
    if wasmx && state.stream().is_none() {
        return trap("the worker crashes: a request was acted on outside of its own context");
    }
    Ok(())
}

fn resume(guest: &mut Guest<'_>, stream: i32) -> Done {
    let state = guest.data_mut();
    match stream {
        REQUEST => forbid_elsewhere(state)?,
        RESPONSE => return Ok(()),
        _ => return Err(Status::BadArgument.into()),
    }
    // Envoy says Ok where there is no request to resume.
    if let Some(id) = state.stream() {
        if let Some(stream) = state.world.borrow_mut().streams.get_mut(&id) {
            stream.head_open = false;
        }
        state.after.push(After::Continue(id));
    }
    Ok(())
}

struct Parts {
    status: i32,
    details: (i32, i32),
    body: (i32, i32),
    headers: (i32, i32),
    grpc_status: i32,
}

fn reply(guest: &mut Guest<'_>, parts: &Parts) -> Done {
    let details = memory::text(guest, parts.details.0, parts.details.1)?;
    let mut body = memory::read(guest, parts.body.0, parts.body.1)?;
    let headers = memory::read(guest, parts.headers.0, parts.headers.1)?;
    let headers = Headers::from_wire(&headers).ok_or(Status::BadArgument)?;
    let state = guest.data_mut();
    forbid_elsewhere(state)?;
    let Some(id) = state.stream() else {
        return Ok(());
    };
    let mut world = state.world.borrow_mut();
    if world.personality == Personality::WasmX && !body.is_empty() {
        body.push(b'\n');
    }
    let stream = world.streams.get_mut(&id).ok_or(Status::BadArgument)?;
    if std::mem::replace(&mut stream.replied, true) {
        // The first one wins, and nobody is told (measured).
        return Ok(());
    }
    drop(world);
    let reply = LocalReply {
        status: u16::try_from(parts.status).unwrap_or(500),
        headers,
        body,
        details: details.replace(' ', "_"),
        grpc_status: parts.grpc_status,
    };
    state.after.push(After::Reply(id, reply));
    Ok(())
}

fn set_effective(guest: &mut Guest<'_>, context: i32) -> Done {
    let state = guest.data_mut();
    if state.world.borrow().personality == Personality::WasmX {
        return Ok(());
    }
    let context = context.cast_unsigned();
    if !state.contexts.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    state.effective = context;
    Ok(())
}

fn set_tick(guest: &mut Guest<'_>, period: i32) -> Done {
    let state = guest.data_mut();
    let root = state.root();
    let period = period.cast_unsigned();
    let vm = state.serial;
    let tick = state.ticks.entry(root).or_default();
    let mut world = state.world.borrow_mut();
    if world.personality == Personality::WasmX && tick.period != 0 && period != 0 {
        return trap("set_tick_period a second time");
    }
    tick.period = period;
    tick.setting += 1;
    if period > 0 {
        let setting = tick.setting;
        let after = Duration::from_millis(period.into());
        world.schedule(after, Due::Tick { vm, root, setting });
    }
    Ok(())
}

fn done(guest: &mut Guest<'_>) -> Done {
    let state = guest.data_mut();
    if state.world.borrow().personality == Personality::WasmX {
        return trap("proxy_done isn't there");
    }
    let context = state.acting();
    state.after.push(After::Done(context));
    Ok(())
}

/// The status of the reply to a call: what counts is its absence, see `Ending`.
fn call_status(guest: &mut Guest<'_>, code: i32, message: (i32, i32)) -> Done {
    if guest.data().world.borrow().personality == Personality::WasmX {
        return trap("proxy_get_status isn't there");
    }
    memory::write_u32(guest, code, 0)?;
    memory::give(guest, b"", message.0, message.1)
}

/// Ends a request without a reply.
fn close(guest: &mut Guest<'_>, stream: i32) -> Done {
    let state = guest.data_mut();
    if !(REQUEST..=RESPONSE).contains(&stream) {
        return Err(Status::BadArgument.into());
    }
    if let Some(Context::Request { stream, .. }) = state.contexts.get(&state.acting()) {
        let reset = LocalReply::proxys_own(0, "closed_by_the_filter");
        state.after.push(After::Reply(*stream, reset));
    }
    Ok(())
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |mut guest: Guest<'_>, stream: i32| status(resume(&mut guest, stream)),
    )?;
    linker.func_wrap(
        "env",
        "proxy_close_stream",
        |mut guest: Guest<'_>, stream: i32| status(close(&mut guest, stream)),
    )?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut guest: Guest<'_>,
         code: i32,
         details: i32,
         details_size: i32,
         body: i32,
         body_size: i32,
         headers: i32,
         headers_size: i32,
         grpc_status: i32| {
            let parts = Parts {
                status: code,
                details: (details, details_size),
                body: (body, body_size),
                headers: (headers, headers_size),
                grpc_status,
            };
            status(reply(&mut guest, &parts))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |mut guest: Guest<'_>, context: i32| status(set_effective(&mut guest, context)),
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut guest: Guest<'_>, period: i32| status(set_tick(&mut guest, period)),
    )?;
    linker.func_wrap("env", "proxy_done", |mut guest: Guest<'_>| {
        status(done(&mut guest))
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_status",
        |mut guest: Guest<'_>, code: i32, address: i32, length: i32| {
            status(call_status(&mut guest, code, (address, length)))
        },
    )?;
    Ok(())
}
