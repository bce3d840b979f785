//! A filter that decides nothing. Without configuration it lets every request pass at once: its cost is that of
//! crossing into WebAssembly and back, which no filter can go below. Its configuration may name hostcalls that it then
//! makes for each request, once for each time they are named: what a filter pays that asks the proxy as much as
//! Doorward does, and does nothing with the answers.
#![cfg(target_arch = "wasm32")]
#![expect(
    missing_docs,
    reason = "the SDK's macro writes an exported function without any"
)]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use std::ptr::null_mut;
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// `HttpRequestHeaders`.
const REQUEST: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
}

/// What is asked of the proxy.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Time,
    Head,
    Count(u32),
    Set,
    Remove,
}

#[derive(Default)]
struct Root {
    asks: Rc<[Ask]>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let asks = text.split_ascii_whitespace().map(ask);
        asks.collect::<Option<_>>()
            .map(|asks| self.asks = asks)
            .is_some()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request(self.asks.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn ask(name: &str) -> Option<Ask> {
    Some(match name {
        "time" => Ask::Time,
        "head" => Ask::Head,
        "set" => Ask::Set,
        "remove" => Ask::Remove,
        "count" => {
            let (metric, name) = (&mut 0, "bench");
            // SAFETY: pointers and length are of a live string and a live local; 0 is a counter.
            let status = unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), metric) };
            (status == 0).then_some(Ask::Count(*metric))?
        }
        _ => return None,
    })
}

struct Request(Rc<[Ask]>);

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let done = self.0.iter().all(|ask| ask.of_proxy() == 0);
        if done {
            Action::Continue
        } else {
            Action::Pause
        }
    }
}

impl Ask {
    /// Asks, and gives the proxy's status.
    fn of_proxy(self) -> u32 {
        // SAFETY: pointers and lengths are of live strings and locals. The pairs are as many bytes as the proxy says,
        // in a boxed slice that the SDK handed out and this filter now owns.
        unsafe {
            match self {
                Ask::Time => proxy_get_current_time_nanoseconds(&mut 0),
                Ask::Head => {
                    let (mut data, mut size) = (null_mut(), 0);
                    let status = proxy_get_header_map_pairs(REQUEST, &mut data, &mut size);
                    if !data.is_null() {
                        drop(Vec::from_raw_parts(data, size, size));
                    }
                    status
                }
                Ask::Count(metric) => proxy_increment_metric(metric, 1),
                Ask::Set => {
                    let (name, value) = ("x-auth-scopes", "orders:read orders:write");
                    proxy_replace_header_map_value(
                        REQUEST,
                        name.as_ptr(),
                        name.len(),
                        value.as_ptr(),
                        value.len(),
                    )
                }
                Ask::Remove => {
                    let name = "x-api-key";
                    proxy_remove_header_map_value(REQUEST, name.as_ptr(), name.len())
                }
            }
        }
    }
}
