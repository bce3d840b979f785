//! The proxy's functions, as they are.

use std::ptr::null_mut;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, line: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_register_shared_queue(name: *const u8, size: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, size: usize) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, value: *mut *mut u8, size: *mut usize) -> u32;
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
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
}

/// Calls a function that hands bytes over.
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> (u32, Vec<u8>) {
    let mut data = null_mut();
    let mut size = 0;
    let status = call(&mut data, &mut size);
    if status != 0 || data.is_null() {
        return (status, Vec::new());
    }
    // SAFETY: the host has allocated `size` bytes through `proxy_on_memory_allocate`, which
    // gives out a boxed slice of just that size, and left them to us.
    (status, unsafe { Vec::from_raw_parts(data, size, size) })
}

pub fn log(line: &str) {
    // SAFETY: here and below pointers and lengths are of live slices, strings and locals.
    unsafe { proxy_log(2, line.as_ptr(), line.len()) };
}

pub fn buffer(which: u32, length: usize) -> (u32, Vec<u8>) {
    // SAFETY: as above.
    taken(|data, size| unsafe { proxy_get_buffer_bytes(which, 0, length, data, size) })
}

pub fn header(map: u32, name: &str) -> (u32, Vec<u8>) {
    // SAFETY: as above.
    taken(|data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    })
}

/// The number of request headers that are shown.
pub fn pairs() -> u32 {
    // SAFETY: as above.
    let (_, wire) = taken(|data, size| unsafe { proxy_get_header_map_pairs(0, data, size) });
    wire.first_chunk::<4>()
        .map_or(0, |count| u32::from_le_bytes(*count))
}

pub fn replace(name: &str, value: &str) -> u32 {
    // SAFETY: as above.
    unsafe {
        proxy_replace_header_map_value(0, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    }
}

pub fn add(name: &str, value: &str) -> u32 {
    // SAFETY: as above.
    unsafe { proxy_add_header_map_value(0, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }
}

pub fn remove(name: &str) -> u32 {
    // SAFETY: as above.
    unsafe { proxy_remove_header_map_value(0, name.as_ptr(), name.len()) }
}

pub fn get_shared(key: &str) -> (u32, Vec<u8>, u32) {
    let mut cas = 0;
    // SAFETY: as above.
    let (status, value) = taken(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
    });
    (status, value, cas)
}

pub fn set_shared(key: &str, value: &str, cas: u32) -> u32 {
    // SAFETY: as above.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

pub fn register(name: &str) -> (u32, u32) {
    let mut queue = 0;
    // SAFETY: as above.
    let status = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &mut queue) };
    (status, queue)
}

pub fn enqueue(queue: u32, message: &str) -> u32 {
    // SAFETY: as above.
    unsafe { proxy_enqueue_shared_queue(queue, message.as_ptr(), message.len()) }
}

pub fn dequeue(queue: u32) -> (u32, Vec<u8>) {
    // SAFETY: as above.
    taken(|data, size| unsafe { proxy_dequeue_shared_queue(queue, data, size) })
}

pub fn resume() -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(0) }
}

pub fn reply(status: u32, body: &str) -> u32 {
    let details = "probe said so";
    // SAFETY: as above; no headers are an empty map.
    unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            null_mut(),
            0,
            -1,
        )
    }
}

pub fn set_effective(context: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(context) }
}

pub fn set_tick(period: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(period) }
}

pub fn property(path: &str) -> (u32, Vec<u8>) {
    let path = path.replace('.', "\0");
    // SAFETY: as above.
    taken(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub fn foreign(name: &str) -> (u32, Vec<u8>) {
    // SAFETY: as above.
    taken(|data, size| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), null_mut(), 0, data, size)
    })
}

pub fn dispatch(cluster: &str, headers: &[(&str, &str)], timeout: u32) -> u32 {
    let wire = wire(headers);
    let mut token = 0;
    // SAFETY: as above.
    unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            wire.as_ptr(),
            wire.len(),
            null_mut(),
            0,
            null_mut(),
            0,
            timeout,
            &mut token,
        )
    }
}

fn wire(pairs: &[(&str, &str)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
    let mut wire = length(pairs.len()).to_vec();
    for (name, value) in pairs {
        wire.extend(length(name.len()));
        wire.extend(length(value.len()));
    }
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        wire.extend(part.as_bytes());
        wire.push(0);
    }
    wire
}
