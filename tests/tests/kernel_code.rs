//! The hot loops of the kernels become the code that they were shaped for.
//!
//! The tests read the native code that the host keeps and runs, with metering on. They count instructions and not
//! seconds: a kernel that spills, or whose multiply-add has become two instructions, is slower on every machine.
//! `guest/kernels/src/simd/tile_loop.rs` has the table of measurements.

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
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, Register};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Bounds on a kernel's code.
struct Kernel {
    /// The function.
    name: &'static str,
    /// The instruction that does the work, and its number.
    work: (Mnemonic, usize),
    /// The most instructions in all, with the exits after each step.
    instructions: usize,
    /// The most moves of a vector to or from the stack.
    spills: usize,
}

impl Kernel {
    /// Returns the mangled name in a module called `kernels`, up to the compiler's suffix.
    fn mangled(&self) -> String {
        format!("7kernels{}{}17h", self.name.len(), self.name)
    }

    /// Tells whether a function is this one.
    fn is(&self, function: &Function) -> bool {
        function.name.contains(&self.mangled())
    }
}

/// Kernels of 32 or 16 steps of 8 multiply-adds, of 16 steps of a block of int8, and of 32 inputs of four times 8
/// outputs in four bits. The bounds are the numbers that were found, and a few more. In four bits constants are
/// spilled before the loop and read again.
const KERNELS: [Kernel; 4] = [
    Kernel {
        name: "accumulate",
        work: (Mnemonic::Vfmadd213ps, 256),
        instructions: 1_150,
        spills: 4,
    },
    Kernel {
        name: "accumulate_strips",
        work: (Mnemonic::Vfmadd213ps, 128),
        instructions: 1_100,
        spills: 0,
    },
    Kernel {
        name: "accumulate_int8",
        work: (Mnemonic::Vpmaddubsw, 128),
        instructions: 720,
        spills: 0,
    },
    Kernel {
        name: "accumulate_int4",
        work: (Mnemonic::Vpmaddubsw, 64),
        instructions: 760,
        spills: 28,
    },
];

/// A processor's cache of decoded instructions. A line has a few of one aligned window of code, and a window may have
/// a few lines. Other code is decoded each time anew, 16 bytes a cycle.
///
/// Lines are counted as if each could lie in any place, which gives the best case: a window has only eight places,
/// Intel's processors with the microcode of 2019 keep no window with a jump over its end, and two threads of a core
/// share the cache.
struct MicroOpCache {
    processors: &'static str,
    /// Bytes of code.
    window: u64,
    /// Instructions in a line.
    line: usize,
    /// Lines that a window may have; one that needs more is not kept.
    window_lines: usize,
}

/// The smallest caches of server processors, of 256 lines each. Sources: Intel, "64 and IA-32 Architectures Optimization
/// Reference Manual", on the decoded instruction cache; AMD, "Software Optimization Guide for AMD Family 17h
/// Processors", on the op cache.
const MICRO_OP_CACHES: [MicroOpCache; 2] = [
    MicroOpCache {
        processors: "Skylake, Cascade Lake",
        window: 32,
        line: 6,
        window_lines: 3,
    },
    MicroOpCache {
        processors: "Zen",
        window: 64,
        line: 8,
        window_lines: 8,
    },
];

/// Number of lines.
const LINES: usize = 256;

/// Lines for a loop that calls nothing: its caller has to fit beside it. A loop that calls a function may take all
/// lines together with that function.
const MOST_LINES: usize = LINES * 13 / 16;

/// The function that calls a kernel for one turn of its loop, and so is counted with it. Other callers ask for many
/// turns.
const ONE_TURN: &str = "9attention9attention17h";

/// Returns the code that a host keeps of the suite with relaxed SIMD: an ELF file behind the cache's own header.
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

/// A function of the kernels.
struct Function {
    /// Its mangled name.
    name: String,
    /// Its instructions, with their addresses.
    code: Vec<Instruction>,
}

/// Lists the functions of `ampoule-kernels`, those of its trait implementations among them.
fn functions(elf: &[u8]) -> Vec<Function> {
    let file = object::File::parse(elf).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let of_kernels = file.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        ["15ampoule_kernels", "$LT$ampoule_kernels.."]
            .iter()
            .any(|part| name.contains(part))
            .then(|| (symbol, name.to_owned()))
    });
    of_kernels
        .map(|(symbol, name)| {
            let start = symbol.address() - text.address();
            let code = &text.data().unwrap()[start as usize..][..symbol.size() as usize];
            let code = decoded(code, symbol.address());
            Function { name, code }
        })
        .collect()
}

/// Decodes a function at an address. Jump tables lie between its instructions, each behind the jump that reads it,
/// and constants behind the last one.
fn decoded(code: &[u8], address: u64) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut end = address + code.len() as u64;
    let mut table = None;
    let mut instructions = Vec::new();
    while decoder.ip() < end {
        let instruction = decoder.decode();
        assert!(
            !instruction.is_invalid(),
            "no code at {:#x}",
            instruction.ip()
        );
        if instruction.is_ip_rel_memory_operand() {
            let place = instruction.ip_rel_memory_address();
            match instruction.mnemonic() {
                Mnemonic::Lea => table = Some(place),
                _ => end = end.min(place),
            }
        }
        if instruction.flow_control() == FlowControl::IndirectBranch
            && let Some(table) = table.take()
        {
            let next = end_of_table(code, address, table);
            decoder.set_position((next - address) as usize).unwrap();
            decoder.set_ip(next);
        }
        instructions.push(instruction);
    }
    instructions
}

/// Finds the end of a jump table, whose entries are distances of 32 bits from the table: the nearest target behind
/// it.
fn end_of_table(code: &[u8], address: u64, table: u64) -> u64 {
    let entries = code[(table - address) as usize..].as_chunks::<4>().0.iter();
    let mut nearest = address + code.len() as u64;
    for (i, entry) in (0..).zip(entries) {
        if table + 4 * i >= nearest {
            break;
        }
        let target = table.wrapping_add_signed(i64::from(i32::from_le_bytes(*entry)));
        if target > table {
            nearest = nearest.min(target);
        }
    }
    nearest
}

/// Finds the innermost loops of a function. A jump back from behind the function's end is no loop: the compiler puts
/// code there that hardly ever runs.
fn inner_loops(code: &[Instruction]) -> Vec<&[Instruction]> {
    let mut loops: Vec<(usize, usize)> = Vec::new();
    for (end, instruction) in code.iter().enumerate() {
        let Some(start) = branch_target(code, instruction).filter(|start| *start <= end) else {
            continue;
        };
        let returns = |instruction: &Instruction| instruction.flow_control() == FlowControl::Return;
        if !code[start..=end].iter().any(returns) {
            loops.push((start, end));
        }
    }
    let holds = |outer: &(usize, usize), inner: &(usize, usize)| {
        outer != inner && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    let inner = loops
        .iter()
        .filter(|one| !loops.iter().any(|other| holds(one, other)));
    inner.map(|&(start, end)| &code[start..=end]).collect()
}

/// Returns the target of a jump within the function.
fn branch_target(code: &[Instruction], instruction: &Instruction) -> Option<usize> {
    let branches = [
        FlowControl::ConditionalBranch,
        FlowControl::UnconditionalBranch,
    ];
    let target = instruction.near_branch_target();
    branches
        .contains(&instruction.flow_control())
        .then(|| code.binary_search_by_key(&target, Instruction::ip).ok())?
}

/// Tells whether a function is one of [`KERNELS`].
fn is_kernel(function: &Function) -> bool {
    KERNELS.iter().any(|kernel| kernel.is(function))
}

/// Cuts off the code behind a function's return, which hardly ever runs.
fn until_return(code: &[Instruction]) -> &[Instruction] {
    let end = code
        .iter()
        .position(|instruction| instruction.flow_control() == FlowControl::Return);
    &code[..end.map_or(code.len(), |end| end + 1)]
}

/// Lists the instructions that run where no exit is taken. An exit has moves before its jump, to the registers that
/// the rest of the function expects; the branch before them jumps over both.
fn without_ways_out(code: &[Instruction]) -> Vec<Instruction> {
    let mut kept: Vec<Instruction> = Vec::new();
    for (i, instruction) in code.iter().enumerate() {
        let next = code.get(i + 1).map(Instruction::ip);
        if instruction.flow_control() == FlowControl::UnconditionalBranch && i + 1 < code.len() {
            let is_move = |kept: &Instruction| {
                matches!(
                    kept.mnemonic(),
                    Mnemonic::Mov | Mnemonic::Movdqa | Mnemonic::Movdqu
                )
            };
            let moves = kept.iter().rev().take_while(|kept| is_move(kept)).count();
            let before = kept.len() - moves;
            let jumps_over = |kept: &Instruction| {
                kept.flow_control() == FlowControl::ConditionalBranch
                    && Some(kept.near_branch_target()) == next
            };
            if before > 0 && jumps_over(&kept[before - 1]) {
                kept.truncate(before);
                continue;
            }
        }
        kept.push(*instruction);
    }
    kept
}

impl MicroOpCache {
    /// Counts the lines that instructions take; `None` where some are not kept.
    fn lines(&self, code: &[Instruction]) -> Option<usize> {
        let windows = code.chunk_by(|a, b| a.ip() / self.window == b.ip() / self.window);
        windows
            .map(|window| {
                let lines = micro_ops(window).div_ceil(self.line);
                (lines <= self.window_lines).then_some(lines)
            })
            .sum()
    }
}

/// Tells whether two instructions are fused: a comparison, and the branch on it.
fn micro_ops(code: &[Instruction]) -> usize {
    let fused = code.windows(2).filter(|pair| {
        matches!(pair[0].mnemonic(), Mnemonic::Cmp | Mnemonic::Test)
            && pair[1].flow_control() == FlowControl::ConditionalBranch
    });
    code.len() - fused.count()
}

/// Finds the functions that are a multiply-add and nothing else.
fn multiply_adds(elf: &[u8]) -> Vec<String> {
    let file = object::File::parse(elf).unwrap();
    let names = file.symbols().filter_map(|symbol| symbol.name().ok());
    names
        .filter(|name| name.contains("relaxed_madd"))
        .map(str::to_owned)
        .collect()
}

/// Tells whether a vector register is moved to or from the stack.
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
    let functions = functions(&elf);
    for kernel in &KERNELS {
        let mut its = functions
            .iter()
            .filter(|function| kernel.is(function))
            .peekable();
        assert!(its.peek().is_some(), "{} is not there", kernel.name);
        for Function { code, .. } in its {
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

#[test]
fn every_inner_loop_fits_the_smallest_micro_op_caches_with_what_it_calls() {
    let elf = compiled_suite();
    let functions = functions(&elf);
    let function_at = |address: u64| {
        functions
            .iter()
            .find(|function| function.code.first().map(Instruction::ip) == Some(address))
    };
    let mut counted: Vec<&str> = Vec::new();
    let mut wrong = Vec::new();
    for function in &functions {
        for body in inner_loops(&function.code) {
            let calls = body
                .iter()
                .filter(|instruction| instruction.flow_control() == FlowControl::Call);
            let mut called: Vec<_> = calls
                .filter_map(|call| function_at(call.near_branch_target()))
                .collect();
            called.sort_unstable_by_key(|function| &function.name);
            called.dedup_by_key(|function| &function.name);
            let makes_one_turn = function.name.contains(ONE_TURN);
            let is_inner = |called: &&Function| {
                inner_loops(&called.code).is_empty() || (is_kernel(called) && makes_one_turn)
            };
            if !called.iter().all(is_inner) {
                // Then the inner loop is the called function's.
                continue;
            }
            counted.push(&function.name);
            counted.extend(called.iter().map(|called| called.name.as_str()));
            let pieces: Vec<_> = std::iter::once(body)
                .chain(called.iter().map(|called| until_return(&called.code)))
                .map(without_ways_out)
                .collect();
            let most = if called.is_empty() { MOST_LINES } else { LINES };
            for cache in &MICRO_OP_CACHES {
                let lines: Option<usize> = pieces.iter().map(|piece| cache.lines(piece)).sum();
                if lines.is_some_and(|lines| lines > MOST_LINES / 3) {
                    println!("{}: {lines:?} lines, {}", function.name, cache.processors);
                }
                if lines.is_none_or(|lines| lines > most) {
                    wrong.push((&function.name, cache.processors, lines));
                }
            }
        }
    }
    for part in KERNELS
        .iter()
        .map(Kernel::mangled)
        .chain(["4gemm6linear".to_owned()])
    {
        let is_counted = counted.iter().any(|counted| counted.contains(&part));
        assert!(is_counted, "no loop of {part} was counted");
    }
    assert!(
        wrong.is_empty(),
        "these loops take more than {MOST_LINES} lines of the cache of decoded instructions, or with what they call \
         more than {LINES}; they would be decoded anew in each turn, at half the speed: {wrong:#?}"
    );
}
