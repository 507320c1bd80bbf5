//! Counts the vector instructions in a built component.
//!
//! A guest that was compiled without `+simd128` still works, several times slower: a lost build flag would show in
//! no result.

use anyhow::{Context as _, Result};
use wasmparser::{Parser, Payload};

/// The first byte of every vector instruction (WebAssembly core specification, "Vector Instructions").
const VECTOR_PREFIX: u8 = 0xfd;

/// Sub-opcodes from here on belong to relaxed SIMD.
const FIRST_RELAXED: u32 = 0x100;

/// Vector instructions in all the modules of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VectorInstructions {
    /// All of them.
    pub(crate) all: usize,
    /// Relaxed ones, whose results may differ from one processor to another.
    pub(crate) relaxed: usize,
}

/// Counts the vector instructions of a component or a module.
pub(crate) fn count(wasm: &[u8]) -> Result<VectorInstructions> {
    let mut found = VectorInstructions::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload.context("not a WebAssembly component")?
        else {
            continue;
        };
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let start = operators.original_position();
            operators.read()?;
            let Some((&VECTOR_PREFIX, rest)) =
                wasm[start..operators.original_position()].split_first()
            else {
                continue;
            };
            found.all += 1;
            if leb128_u32(rest) >= FIRST_RELAXED {
                found.relaxed += 1;
            }
        }
    }
    Ok(found)
}

/// Reads an unsigned LEB128 number. The parser has accepted these bytes, so the number fits into a `u32`.
fn leb128_u32(bytes: &[u8]) -> u32 {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a module with one function of no parameters and no results whose body is `code`.
    fn module(code: &[u8]) -> Vec<u8> {
        let mut body = vec![0];
        body.extend_from_slice(code);
        body.push(0x0b);
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        wasm.extend_from_slice(&[1, 4, 1, 0x60, 0, 0]);
        wasm.extend_from_slice(&[3, 2, 1, 0]);
        let body_length = u8::try_from(body.len()).unwrap();
        wasm.extend_from_slice(&[10, body_length + 2, 1, body_length]);
        wasm.extend_from_slice(&body);
        wasm
    }

    /// `v128.const 0`
    const CONST: [u8; 18] = [0xfd, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn scalar_code_has_no_vector_instructions() {
        // i32.const -3, whose operand is the vector prefix's own byte in LEB128; drop
        let wasm = module(&[0x41, 0xfd, 0x00, 0x1a]);
        assert_eq!(count(&wasm).unwrap(), VectorInstructions::default());
    }

    #[test]
    fn vector_and_relaxed_instructions_are_told_apart() {
        let mut code = [CONST, CONST, CONST].concat();
        code.extend_from_slice(&[0xfd, 0x85, 0x02]); // f32x4.relaxed_madd
        code.extend_from_slice(&[0xfd, 0x53, 0x1a]); // v128.any_true, drop
        assert_eq!(
            count(&module(&code)).unwrap(),
            VectorInstructions { all: 5, relaxed: 1 }
        );
    }

    #[test]
    fn modules_inside_a_component_are_counted() {
        let inner = module(&[&CONST[..], &[0x1a]].concat());
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend_from_slice(&[1, u8::try_from(inner.len()).unwrap()]);
        component.extend_from_slice(&inner);
        assert_eq!(count(&component).unwrap().all, 1);
    }

    #[test]
    fn the_built_bert_guest_contains_vector_code() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/guests/wasm32-wasip2/guest/ampoule_minilm.wasm"
        );
        let wasm = std::fs::read(path).unwrap();
        let found = count(&wasm).unwrap();
        // Its matrix product alone is 32 steps of eight multiplications.
        assert!(found.all > 1_000 && found.relaxed >= 256, "{found:?}");
    }

    #[test]
    fn what_is_no_component_is_an_error() {
        assert!(count(b"no component").is_err());
    }
}
