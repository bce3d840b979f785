//! The proxy's functions. Every one returns a status, and none of them panics.

use std::ptr::null_mut;

/// The status of a call that succeeded.
const OK: u32 = 0;

/// A call was refused by the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Which headers are meant.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum HeaderMap {
    Request = 0,
    RequestTrailers = 1,
    CallReply = 6,
}

/// Which bytes are meant.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum Buffer {
    RequestBody = 0,
    CallReplyBody = 4,
    PluginConfiguration = 7,
}

/// `HttpRequest` of `proxy_continue_stream`.
const REQUEST_STREAM: u32 = 0;
/// `Counter` of `proxy_define_metric`.
const COUNTER: u32 = 0;
/// `Gauge` of `proxy_define_metric`.
const GAUGE: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, line: *const u8, line_size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, value_size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, value_size: usize) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, value: *mut *mut u8, value_size: *mut usize) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        result: *mut *mut u8,
        result_size: *mut usize,
    ) -> u32;
}

fn checked(status: u32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused) }
}

/// Calls a function that hands over bytes which the proxy put into this VM's memory.
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Refused> {
    let mut data = null_mut();
    let mut size = 0;
    checked(call(&mut data, &mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: on success the proxy has allocated exactly `size` bytes at `data` through
    // `proxy_on_memory_allocate` of the SDK, which hands out a boxed slice of that size from
    // this allocator, and has left them to us.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

pub fn log(level: u32, line: &str) {
    // SAFETY: pointer and length are of a live string. A line that can't be written has
    // nowhere to be reported.
    unsafe { proxy_log(level, line.as_ptr(), line.len()) };
}

/// Nanoseconds since the Unix epoch.
pub fn current_time() -> u64 {
    let mut time = 0;
    // SAFETY: the pointer is of a live local.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    time
}

pub fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
}

pub fn buffer(which: Buffer, length: usize) -> Result<Vec<u8>, Refused> {
    // SAFETY: both pointers are of live locals of `taken`.
    taken(|data, size| unsafe { proxy_get_buffer_bytes(which as u32, 0, length, data, size) })
}

/// All pairs, in the proxy's layout.
pub fn header_pairs(map: HeaderMap) -> Result<Vec<u8>, Refused> {
    // SAFETY: both pointers are of live locals of `taken`.
    taken(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

/// Sets a request header in place of all of that name.
pub fn set_request_header(name: &[u8], value: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointers and lengths are of live slices.
    checked(unsafe {
        proxy_replace_header_map_value(
            HeaderMap::Request as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes all entries of a name.
pub fn remove_header(map: HeaderMap, name: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointer and length are of a live slice.
    checked(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property by its path's parts.
pub fn property(path: &[&str]) -> Result<Vec<u8>, Refused> {
    let path = path.join("\0");
    // SAFETY: pointers and lengths are of a live string and of live locals of `taken`.
    taken(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub fn shared_get(key: &str) -> Result<(Vec<u8>, u32), Refused> {
    let mut cas = 0;
    // SAFETY: pointers and lengths are of a live string and of live locals.
    let value = taken(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
    })?;
    Ok((value, cas))
}

pub fn shared_set(key: &str, value: &[u8], cas: u32) -> Result<(), Refused> {
    // SAFETY: pointers and lengths are of a live string and a live slice.
    checked(unsafe {
        proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    })
}

pub fn register_queue(name: &str) -> Result<u32, Refused> {
    let mut queue = 0;
    // SAFETY: pointers and length are of a live string and a live local.
    checked(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &mut queue) })?;
    Ok(queue)
}

pub fn enqueue(queue: u32, message: &[u8]) -> Result<(), Refused> {
    // SAFETY: pointer and length are of a live slice.
    checked(unsafe { proxy_enqueue_shared_queue(queue, message.as_ptr(), message.len()) })
}

/// Takes a message out; an empty queue refuses.
pub fn dequeue(queue: u32) -> Result<Vec<u8>, Refused> {
    // SAFETY: both pointers are of live locals of `taken`.
    taken(|data, size| unsafe { proxy_dequeue_shared_queue(queue, data, size) })
}

/// Lets the request of the effective context go on.
pub fn continue_request() -> Result<(), Refused> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_continue_stream(REQUEST_STREAM) })
}

/// Answers the request of the effective context.
pub fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(String, String)],
    body: &[u8],
    grpc_status: Option<u8>,
) -> Result<(), Refused> {
    let headers = wire(headers);
    // SAFETY: pointers and lengths are of live strings and slices.
    checked(unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.map_or(-1, i32::from),
        )
    })
}

/// Makes the following calls about another context.
pub fn set_effective_context(id: u32) -> Result<(), Refused> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_effective_context(id) })
}

pub fn define_counter(name: &str) -> Result<u32, Refused> {
    define_metric(COUNTER, name)
}

pub fn define_gauge(name: &str) -> Result<u32, Refused> {
    define_metric(GAUGE, name)
}

fn define_metric(kind: u32, name: &str) -> Result<u32, Refused> {
    let mut metric = 0;
    // SAFETY: pointers and length are of a live string and a live local.
    checked(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut metric) })?;
    Ok(metric)
}

/// Shows a gauge's value.
pub fn record(metric: u32, value: u64) {
    // SAFETY: no pointers. A gauge that can't be shown changes no decision.
    unsafe { proxy_record_metric(metric, value) };
}

pub fn increment(metric: u32, by: u32) {
    // SAFETY: no pointers. A counter that can't be raised changes no decision.
    unsafe { proxy_increment_metric(metric, by.into()) };
}

/// Calls a function of the proxy's own; Kong's engine traps on one that it doesn't know.
pub fn call_foreign_function(name: &str, argument: &[u8]) -> Result<Vec<u8>, Refused> {
    // SAFETY: pointers and lengths are of a live string, a live slice and of live locals of
    // `taken`.
    taken(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            data,
            size,
        )
    })
}

/// The layout in which a map is handed over: see `doorward_core::http::Headers::from_wire`.
fn wire(pairs: &[(String, String)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut buffer = u32::try_from(pairs.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes()
        .to_vec();
    for (name, value) in pairs {
        buffer.extend(length(name));
        buffer.extend(length(value));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            buffer.extend(text.as_bytes());
            buffer.push(0);
        }
    }
    buffer
}
