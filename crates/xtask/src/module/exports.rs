//! Takes exports away that the SDK always brings and the filter never uses, so that a host doesn't cross into
//! wasm for them, and the optimiser can drop the code behind them.

use anyhow::{Context, Result};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportSection, Module, RawSection};
use wasmparser::{Parser, Payload};

/// Callbacks of proxy-wasm ABI 0.2.1 that no policy needs.
///
/// The request's body and trailers are not here: while no verdict stands they answer Pause, and a missing one
/// would act as Continue. Of what ends a context the deletion says all.
pub const UNUSED: [&str; 16] = [
    "proxy_on_done",
    "proxy_on_downstream_connection_close",
    "proxy_on_downstream_data",
    "proxy_on_foreign_function",
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_log",
    "proxy_on_new_connection",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_metadata",
    "proxy_on_response_trailers",
    "proxy_on_upstream_connection_close",
    "proxy_on_upstream_data",
];

/// The same module without the exports in [`UNUSED`].
pub fn without_unused(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.context("the compiled module")?;
        if let Payload::ExportSection(section) = payload {
            let mut kept = ExportSection::new();
            for export in section {
                let export = export?;
                if !UNUSED.contains(&export.name) {
                    let kind = RoundtripReencoder.export_kind(export.kind)?;
                    kept.export(export.name, kind, export.index);
                }
            }
            module.section(&kept);
        } else if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            let data = wasm
                .get(range)
                .context("a section beyond the module's end")?;
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}

/// The names of all functions that a module imports and exports.
pub fn names(wasm: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("the module")? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    names.push(import?.name.to_owned());
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    names.push(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, ExportKind, Function, FunctionSection, TypeSection};

    use super::*;

    fn module(exports: &[&str]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut section = ExportSection::new();
        for name in exports {
            section.export(name, ExportKind::Func, 0);
        }
        let mut body = Function::new([]);
        body.instructions().end();
        let mut code = CodeSection::new();
        code.function(&body);
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&section)
            .section(&code);
        module.finish()
    }

    #[test]
    fn only_the_unused_exports_go_and_all_else_stays_byte_for_byte() {
        let before = module(&[
            "proxy_on_request_headers",
            "proxy_on_response_body",
            "proxy_on_request_body",
        ]);
        let after = module(&["proxy_on_request_headers", "proxy_on_request_body"]);
        assert_eq!(without_unused(&before).unwrap(), after);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(without_unused(b"\0asm\x01\0\0\0\x07\x7f").is_err());
    }
}
