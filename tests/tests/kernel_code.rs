//! The hot loops of the kernels become the code that they were shaped for.
//!
//! What is read is the native code that the host keeps and runs, with metering on. Instructions are counted, not
//! seconds: a kernel that spills, or whose multiply-add has become two instructions, is slower on every machine.
//! ARCHITECTURE.md has the table of what was measured.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and prints what it measured"
)]

use std::path::Path;

use ampoule::{CodeCache, Host};
use ampoule_tests::{Publisher, block_on, package_guest};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// What a kernel's code must be like.
struct Kernel {
    /// The function.
    name: &'static str,
    /// The instruction that does the work, and how often it is there.
    work: (Mnemonic, usize),
    /// The most instructions in all, the way out after each step included.
    instructions: usize,
    /// The most moves of a vector to the stack or from there.
    spills: usize,
}

/// 96 or 48 steps of 8 multiply-adds, or 16 of a block of int8, or in four bits 32 inputs of four times 8 outputs. The
/// bounds are what was found, and a few more. In 96 steps the register allocator may put one sum aside once, which costs
/// nothing; a loop that does not fit does it in each step. In four bits it is the constants that are put aside, before
/// the loop, and are read again.
const KERNELS: [Kernel; 4] = [
    Kernel {
        name: "accumulate",
        work: (Mnemonic::Vfmadd213ps, 768),
        instructions: 2_800,
        spills: 4,
    },
    Kernel {
        name: "accumulate_strip",
        work: (Mnemonic::Vfmadd213ps, 384),
        instructions: 2_950,
        spills: 0,
    },
    Kernel {
        name: "accumulate_int8",
        work: (Mnemonic::Vpmaddubsw, 128),
        instructions: 700,
        spills: 0,
    },
    Kernel {
        name: "accumulate_int4",
        work: (Mnemonic::Vpmaddubsw, 64),
        instructions: 760,
        spills: 28,
    },
];

/// The code that a host keeps of the suite with relaxed SIMD: an ELF file behind the cache's own header.
fn compiled_suite() -> Vec<u8> {
    let acme = Publisher::new("acme");
    let bundle = acme
        .bundle(package_guest("ampoule_kernels_suite_relaxed"))
        .tasks(&["text-tokenization"])
        .write();
    let cache = tempfile::tempdir().unwrap();
    let host = Host::builder()
        .trust(acme.trust())
        .code_cache(CodeCache::in_directory(cache.path()))
        .build()
        .unwrap();
    block_on(host.load(bundle.path())).unwrap();
    let entry = std::fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "code")
        });
    elf_of(&entry.unwrap())
}

fn elf_of(entry: &Path) -> Vec<u8> {
    let bytes = std::fs::read(entry).unwrap();
    let start = bytes
        .windows(4)
        .position(|bytes| bytes == b"\x7fELF")
        .unwrap();
    bytes[start..].to_vec()
}

/// The instructions of the kernel `name`, for each function that it became.
fn instructions(elf: &[u8], name: &str) -> Vec<Vec<Instruction>> {
    let file = object::File::parse(elf).unwrap();
    let text = file.section_by_name(".text").unwrap();
    // As Rust mangles a function of that name and of a module called `kernels`.
    let mangled = format!("7kernels{}{name}17h", name.len());
    file.symbols()
        .filter(|symbol| symbol.name().is_ok_and(|its| its.contains(&mangled)))
        .map(|symbol| {
            let start = symbol.address() - text.address();
            let code = &text.data().unwrap()[start as usize..][..symbol.size() as usize];
            without_constants(Decoder::with_ip(64, code, 0, DecoderOptions::NONE))
        })
        .collect()
}

/// The functions that are nothing but a multiply-add.
fn multiply_adds(elf: &[u8]) -> Vec<String> {
    let file = object::File::parse(elf).unwrap();
    let names = file.symbols().filter_map(|symbol| symbol.name().ok());
    names
        .filter(|name| name.contains("relaxed_madd"))
        .map(str::to_owned)
        .collect()
}

/// What comes before the constants, which lie behind a function's last instruction.
fn without_constants(code: Decoder<'_>) -> Vec<Instruction> {
    let mut end = u64::MAX;
    let mut instructions = Vec::new();
    for instruction in code {
        if instruction.ip() >= end {
            break;
        }
        if instruction.is_ip_rel_memory_operand() {
            end = end.min(instruction.ip_rel_memory_address());
        }
        instructions.push(instruction);
    }
    instructions
}

/// Whether a vector register goes to the stack or comes from there.
fn is_spill(instruction: &Instruction) -> bool {
    let is_stack = matches!(instruction.memory_base(), Register::RSP | Register::RBP);
    let registers = (0..instruction.op_count()).map(|i| instruction.op_register(i));
    is_stack
        && registers
            .into_iter()
            .any(|register| (Register::XMM0..=Register::XMM31).contains(&register))
}

#[test]
fn hot_kernels_hardly_spill_and_do_not_grow() {
    let elf = compiled_suite();
    // Which is what becomes of one whose caller is not compiled for relaxed SIMD: twenty times slower.
    assert_eq!(
        multiply_adds(&elf),
        Vec::<String>::new(),
        "called, not inlined"
    );
    let mut wrong = Vec::new();
    for kernel in &KERNELS {
        let functions = instructions(&elf, kernel.name);
        assert!(!functions.is_empty(), "{} is not there", kernel.name);
        for code in functions {
            let (mnemonic, expected) = kernel.work;
            let work = code.iter().filter(|i| i.mnemonic() == mnemonic).count();
            let spills = code.iter().filter(|i| is_spill(i)).count();
            println!(
                "{}: {} instructions, {work} {mnemonic:?}, {spills} spills",
                kernel.name,
                code.len(),
            );
            let grew = code.len() > kernel.instructions || spills > kernel.spills;
            if work != expected || grew {
                wrong.push(kernel.name);
            }
        }
    }
    assert_eq!(wrong, Vec::<&str>::new(), "these have become slower");
}
