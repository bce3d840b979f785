//! Calls to other services, and the proxy's own functions.

use super::{Done, Guest, Stop, memory, status, trap};
use crate::Personality;
use crate::callout::{Callout, Cluster};
use crate::headers::Headers;
use crate::status::Status;
use crate::vm::State;
use crate::world::Due;
use std::time::Duration;
use wasmtime::Linker;

/// A dispatched call as it lies in the VM's memory: address and length of each part.
struct Parts {
    cluster: (i32, i32),
    headers: (i32, i32),
    body: (i32, i32),
    trailers: (i32, i32),
    timeout: i32,
    token: i32,
}

fn dispatch(guest: &mut Guest<'_>, parts: &Parts) -> Done {
    let cluster = memory::text(guest, parts.cluster.0, parts.cluster.1)?;
    let headers = memory::read(guest, parts.headers.0, parts.headers.1)?;
    let headers = Headers::from_wire(&headers).ok_or(Status::BadArgument)?;
    let body = memory::read(guest, parts.body.0, parts.body.1)?;
    // The ABI has them, no endpoint here looks at them.
    memory::read(guest, parts.trailers.0, parts.trailers.1)?;
    let milliseconds = parts.timeout.cast_unsigned();
    let timeout = (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()));
    let state = guest.data();
    let (callback, vm, place) = (state.callback, state.serial, state.place);
    let (root, owner) = (state.root(), state.acting());
    let world = state.world.clone();
    let mut world = world.borrow_mut();
    let refused = |missing: &[&str]| missing.iter().any(|name| headers.get(name).is_none());
    match world.personality {
        Personality::Envoy if refused(&[":method", ":path", ":authority"]) => {
            return Err(Status::BadArgument.into());
        }
        Personality::WasmX if refused(&[":method", ":path"]) => {
            return trap("dispatched without :method or :path");
        }
        Personality::WasmX if callback == "proxy_on_configure" => {
            return trap("dispatched in on_configure");
        }
        Personality::Envoy | Personality::WasmX => {}
    }
    match world.clusters.get(&cluster).copied().unwrap_or_default() {
        Cluster::Up => {}
        Cluster::Missing => return Err(Status::BadArgument.into()),
        Cluster::Unhealthy => return Err(Status::InternalFailure.into()),
    }
    world.calls_made += 1;
    let id = world.calls_made;
    let path = headers.get(":path").unwrap_or_default();
    world.note(place, format!("dispatches call {id} to {cluster}{path}"));
    let at = world.now.saturating_sub(world.start);
    if let Some(timeout) = timeout {
        world.schedule(timeout, Due::Timeout { call: id });
    }
    drop(world);
    let state = guest.data_mut();
    state.next_token += 1;
    let token = state.next_token;
    let callout = Callout {
        id,
        place,
        cluster,
        headers,
        body,
        timeout,
        at,
        vm,
        root,
        owner,
        token,
    };
    state.world.borrow_mut().calls.insert(id, callout);
    memory::write_u32(guest, parts.token, token)
}

fn call_foreign(
    guest: &mut Guest<'_>,
    name: (i32, i32),
    argument: (i32, i32),
    place: (i32, i32),
) -> Done {
    let name = memory::text(guest, name.0, name.1)?;
    let argument = memory::read(guest, argument.0, argument.1)?;
    let world = guest.data().world.clone();
    let (personality, answer) = {
        let world = world.borrow();
        (
            world.personality,
            world.foreign.call(&name, &argument, world.personality),
        )
    };
    match answer {
        Err(Status::NotFound) if personality == Personality::WasmX => {
            trap(format!("unknown foreign function {name:?}"))
        }
        answer => memory::give(guest, &answer.map_err(Stop::Status)?, place.0, place.1),
    }
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut guest: Guest<'_>,
         cluster: i32,
         cluster_size: i32,
         headers: i32,
         headers_size: i32,
         body: i32,
         body_size: i32,
         trailers: i32,
         trailers_size: i32,
         timeout: i32,
         token: i32| {
            let parts = Parts {
                cluster: (cluster, cluster_size),
                headers: (headers, headers_size),
                body: (body, body_size),
                trailers: (trailers, trailers_size),
                timeout,
                token,
            };
            status(dispatch(&mut guest, &parts))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut guest: Guest<'_>,
         name: i32,
         name_size: i32,
         argument: i32,
         argument_size: i32,
         address: i32,
         length: i32| {
            status(call_foreign(
                &mut guest,
                (name, name_size),
                (argument, argument_size),
                (address, length),
            ))
        },
    )?;
    Ok(())
}
