//! The inert WASI base, which every wasip2 guest links against.
//!
//! No arguments, no environment, an ended standard input, output into the bounded log, coarse
//! clocks, capped randomness, a file system without files. Sockets and HTTP are not linked at all.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, io, random};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiCtx, WasiView};

use crate::code::engine::EngineProfile;
use crate::imports::clocks::{
    ClockResolution, CoarseMonotonicClock, CoarseWallClock, StoppedClock,
};
use crate::imports::filesystem;
use crate::imports::guest_log::LogSink;
use crate::limits::MAX_RANDOM;

/// The WASI state of one sandbox.
pub fn new_context(log: &LogSink, profile: EngineProfile, clock: ClockResolution) -> WasiCtx {
    let mut context = WasiCtx::builder();
    context
        .stdin(MemoryInputPipe::new(bytes::Bytes::new()))
        .stdout(log.stdout())
        .stderr(log.stderr())
        .monotonic_clock(CoarseMonotonicClock::new(clock))
        .wall_clock(CoarseWallClock(clock))
        .max_random_size(MAX_RANDOM)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if profile == EngineProfile::Deterministic {
        context
            .monotonic_clock(StoppedClock)
            .wall_clock(StoppedClock)
            // A guest that waits for a certain random number must get it, so the numbers still vary.
            .secure_random(ChaCha12Rng::seed_from_u64(1))
            .insecure_random(ChaCha12Rng::seed_from_u64(2))
            .insecure_random_seed(3);
    }
    context.build()
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// Puts the base into a linker: [`INERT_INTERFACES`](crate::contract::INERT_INTERFACES), no more.
pub fn add_to_linker<T: WasiView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<T, Io>(linker, |state| state.ctx().table)?;
    io::poll::add_to_linker::<T, Io>(linker, |state| state.ctx().table)?;
    io::streams::add_to_linker::<T, Io>(linker, |state| state.ctx().table)?;
    cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    clocks::monotonic_clock::add_to_linker::<T, WasiClocks>(linker, T::clocks)?;
    clocks::wall_clock::add_to_linker::<T, WasiClocks>(linker, T::clocks)?;
    random::random::add_to_linker::<T, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<T, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, |state| {
        state.ctx().ctx.random()
    })?;
    filesystem::add_to_linker(linker)
}
