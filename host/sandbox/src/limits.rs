//! Limits on models and requests, each with its unit, its default and the reason for the default.

use std::time::Duration;

use ampoule_units::{Budget, ByteSize, Fuel, SandboxBudgets};

/// Bytes of one encoded image. A phone's photo has 2 to 8 MiB, a camera's JPEG of 24 million pixels up to 15. Pixels,
/// which cost the sandbox, have a limit of their own. This one bounds the bytes that the host holds of a request: with
/// [`DEFAULT_IMAGES`], 256 MiB.
const DEFAULT_IMAGE_BYTES: ByteSize = ByteSize::from_mib(16);

/// Pixels of one image, by its header: 4,096 × 4,096. A small file can claim billions. Decoded, so many take 48 MiB of
/// the sandbox.
const DEFAULT_IMAGE_PIXELS: u64 = 4_096 * 4_096;

/// Images in one request. A conversation about a picture needs a few; a hundred is a mistake or an
/// attack.
const DEFAULT_IMAGES: usize = 16;

/// Characters (Unicode scalar values) of one text: a long paragraph, and more than small models read of one text.
const DEFAULT_TEXT_CHARS: usize = 1_000;

/// Texts in one request, enough for a page of search results. The deadline bounds the work.
const DEFAULT_TEXTS: usize = 256;

/// Turns of one conversation. A long chat of an afternoon has some hundreds; its characters are bounded as those of
/// [`DEFAULT_TEXTS`] texts are.
const DEFAULT_TURNS: usize = 1_000;

/// Deadline of one request, the wait in the queue included: as long as a person waits for an answer.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// Linear memory and tables of one sandbox. Room for a model of 100 MB with its working memory
/// several times over, and eight of them in the memory of a small server.
const DEFAULT_MEMORY: ByteSize = ByteSize::from_mib(512);

/// Fuel of one request: a unit for each WebAssembly operator, and one more for each byte or table element
/// that `memory.fill`, `memory.copy`, `memory.init` and their like for tables move. One core executes up to
/// ten thousand million operators a second in the tightest loop, so the deadline of 5 s comes first even
/// for a guest that spins; fuel is for those who want less.
const DEFAULT_FUEL: Fuel = Fuel::new(100_000_000_000);

/// Bytes that a guest may hand to the host in one call (an answer, or the arguments of an import), and in all chunks of
/// a generation together. A batch of 256 embeddings of 1,024 dimensions is 1 MiB.
const DEFAULT_OUTPUT: ByteSize = ByteSize::from_mib(8);

/// Chunks of one generation: more than any small model's context.
const DEFAULT_CHUNKS: u32 = 16_384;

/// The longest that a generation's sandbox waits for its caller to ask for the next chunk. A caller who reads at all
/// reads on within milliseconds; two seconds ride out a network that stalls. The limit is below the default deadline:
/// a caller who does not read keeps a sandbox for less time than one who does.
const DEFAULT_IDLE: Duration = Duration::from_secs(2);

/// Bytes of log, standard output and standard error that are kept of one sandbox: as many messages as a person reads.
/// Lost bytes are counted.
const DEFAULT_LOG: ByteSize = ByteSize::from_bytes(64 * 1024);

/// Linear memory and tables of `init`: parsing needs more than serving.
const DEFAULT_INIT_MEMORY: ByteSize = ByteSize::from_mib(1024);

/// Deadline of `init`, which reads and packs all weights of a large model.
const DEFAULT_INIT_DEADLINE: Duration = Duration::from_secs(60);

/// Fuel of `init`: twelve times a request's, as the deadline is.
const DEFAULT_INIT_FUEL: Fuel = Fuel::new(1_200_000_000_000);

/// Memory of the process that initialises and compiles a model: files, the guest's memory, the snapshot, and the code
/// with the snapshot in it. Together they take some six times the weights.
const DEFAULT_COMPILE_MEMORY: ByteSize = ByteSize::from_mib(4096);

/// Time of compiling. A large component takes a small machine ten seconds; one that takes minutes was made for that.
const DEFAULT_COMPILE_TIME: Duration = Duration::from_secs(120);

/// Bytes of the component. Compilation time and memory grow with them. A tokenizer, an image decoder and the maths are
/// under 8 MiB.
const DEFAULT_COMPONENT: ByteSize = ByteSize::from_mib(64);

/// Bytes of all files of one bundle. The host holds them in memory while it loads the model.
const DEFAULT_BUNDLE: ByteSize = ByteSize::from_mib(4096);

/// Requests that wait for a thread: enough to ride out a burst. Further callers are told at once that the host is busy.
const DEFAULT_QUEUE: usize = 256;

/// Sandboxes alive at once, running or held by a generation between two chunks.
const DEFAULT_SANDBOXES: usize = 64;

/// Models that are loaded at once. Each may take [`DEFAULT_COMPILE_MEMORY`] beside its files, so two fit a server with
/// 16 GiB, and a small model need not wait for a large one.
const DEFAULT_LOADS: usize = 2;

/// Loads that wait for their turn. A service that starts asks for all of its models at once; each waiting load costs a
/// kilobyte.
const DEFAULT_WAITING_LOADS: usize = 256;

/// One encoded image by [`Limits::strict`]. The figure of the security policies that this project grew from.
const STRICT_IMAGE_BYTES: ByteSize = ByteSize::from_mib(1);

/// Characters of one text by [`Limits::strict`]. The figure of the same policies.
const STRICT_TEXT_CHARS: usize = 1_000;

/// One request by [`Limits::strict`]. The figure of the same policies.
const STRICT_DEADLINE: Duration = Duration::from_secs(5);

/// Memory of one sandbox by [`Limits::strict`]. The figure of the same policies.
const STRICT_MEMORY: ByteSize = ByteSize::from_mib(100);

/// The longest wait of a generation's sandbox by [`Limits::strict`]: strangers cannot keep slots by stalling.
const STRICT_IDLE: Duration = Duration::from_millis(500);

/// Default resolution of guests' clocks. Cache and memory differ by less than a microsecond, so a millisecond hides the
/// difference and still serves for logging and timeouts.
pub(crate) const DEFAULT_CLOCK_RESOLUTION: Duration = Duration::from_millis(1);

/// The finest resolution of guests' clocks that does not tell one access to memory from another.
pub const MIN_CLOCK_RESOLUTION: Duration = Duration::from_micros(1);

/// The coarsest resolution. Programs that wait for a clock to move then wait for a second at most.
pub const MAX_CLOCK_RESOLUTION: Duration = Duration::from_secs(1);

/// The least memory of a sandbox: one page of WebAssembly.
pub const MIN_MEMORY: ByteSize = ByteSize::from_bytes(64 * 1024);

/// The most memory of a sandbox: [`MAX_MEMORIES`] memories of 4 GiB, and as much of tables.
pub const MAX_MEMORY: ByteSize = ByteSize::from_mib(64 * 1024);

/// The shortest time that a limit may give: clocks are asked once a millisecond.
pub const MIN_TIME: Duration = Duration::from_millis(1);

/// The longest time that a limit may give: a month is as good as no limit, and overflows no system's clock.
pub const MAX_TIME: Duration = Duration::from_hours(30 * 24);

/// The most bytes that a limit may let a guest hand over in one call: a whole memory of WebAssembly.
pub const MAX_OUTPUT: ByteSize = ByteSize::from_mib(4 * 1024);

/// The most log that is kept of one sandbox. The host holds it outside of the sandbox's memory.
pub const MAX_LOG: ByteSize = ByteSize::from_mib(1024);

/// The most log that is kept of `init`, whatever the limit allows. The log is part of a message's head and of a cache
/// entry's header, as JSON of up to twice its size. Both are bounded, since the host holds them whole.
pub const MAX_INIT_LOG: ByteSize = ByteSize::from_mib(1);

/// The least memory of a process that compiles. With less the process does not start.
pub const MIN_COMPILE_MEMORY: ByteSize = ByteSize::from_mib(1);

/// The most memory of a process that compiles: more than machines have, and far below an overflow of the system's
/// limits.
pub const MAX_COMPILE_MEMORY: ByteSize = ByteSize::from_mib(1 << 30);

/// The largest component: WebAssembly counts in 32 bits.
pub const MAX_COMPONENT: ByteSize = ByteSize::from_mib(4 * 1024);

/// The largest bundle: more than machines have memory.
pub const MAX_BUNDLE: ByteSize = ByteSize::from_mib(1 << 30);

/// The most loads at once. Each is a process with some threads.
pub const MAX_LOADS: usize = 1_024;

/// The most requests, loads, texts or images that may wait or stand together: each takes a kilobyte or so, a
/// gigabyte in all.
pub const MAX_WAITING: usize = 1_000_000;

/// The most threads of one kind: more than any machine has cores.
pub const MAX_THREADS: usize = 4_096;

/// Strings that end a generation. Models look for each of them at every token, on their own fuel.
pub const MAX_STOP_STRINGS: usize = 256;

/// Options of one generation. Models know a few.
pub const MAX_OPTIONS: usize = 64;

/// Characters of a role or of an option's name.
pub const MAX_NAME_CHARS: usize = 64;

/// Memories of one sandbox. A component made of several modules has a few.
pub const MAX_MEMORIES: usize = 8;

/// Tables of one sandbox: one or two a core module.
pub const MAX_TABLES: usize = 32;

/// Core instances of one sandbox: a component has the main module, adapters and shims, five at most
/// as the usual tools make it.
pub const MAX_INSTANCES: usize = 16;

/// Functions of one core module. The engine keeps up to 32 bytes for each in every instance, outside
/// the sandbox's memory: with [`MAX_INSTANCES`] that is 25 MiB at most. A tokenizer, an image decoder
/// and the maths are some 5,000.
pub const MAX_MODULE_FUNCTIONS: u32 = 50_000;

/// Globals of one core module, for the same reason: 16 bytes each, 2.5 MiB at most. Compiled Rust has
/// a handful.
pub const MAX_MODULE_GLOBALS: u32 = 10_000;

/// Functions of all core modules of a component together, instantiated or not. Compiling each takes the compiler a KiB or
/// more.
pub const MAX_COMPONENT_FUNCTIONS: u32 = 100_000;

/// Levels of components and core modules within each other. The usual tools make two levels, and each composition one
/// more.
pub const MAX_COMPONENT_DEPTH: u32 = 16;

/// Imports and exports of a component and of all components in it. An interface of the contract takes some
/// twenty, with what it repeats for its types.
pub const MAX_COMPONENT_NAMES: u32 = 2_000;

/// Instantiations of components in a component. The usual tools need one for each exported interface. They may nest, so n
/// of them make 3^(n/3) instances at most: 1,500. The compiler unfolds them all before anybody counts
/// [`MAX_INSTANCES`].
pub const MAX_COMPONENT_INSTANTIATIONS: u32 = 20;

/// Entries of a component's sections, those of nested components once for each instantiation. The usual tools make a few
/// hundred. A million are counted in a tenth of a second and take some 50 MiB.
pub const MAX_COMPONENT_PARTS: usize = 1_000_000;

/// Instantiations of core modules in a component. With [`MAX_COMPONENT_INSTANTIATIONS`] they make 100,000 instances at
/// most, which the compiler unfolds in less than a second.
pub const MAX_COMPONENT_CORE_INSTANTIATIONS: u32 = 64;

/// Bytes that the engine keeps for one instance of a core module, outside the sandbox's memory: room for
/// [`MAX_MODULE_FUNCTIONS`] and [`MAX_MODULE_GLOBALS`].
pub const MAX_MODULE_BYTES: usize = 2 * 1024 * 1024;

/// Bytes that the engine keeps for the instances of all core modules of a component together.
pub const MAX_COMPONENT_BYTES: usize = 32 * 1024 * 1024;

/// Host resources (pollables, streams) that one sandbox may hold at once.
pub const MAX_HOST_RESOURCES: usize = 1_024;

/// Component-model handles that one sandbox may hold at once.
pub const MAX_HANDLES: usize = 4_096;

/// Bytes of one read of the random source: the host makes them one call at a time.
pub const MAX_RANDOM: u64 = 64 * 1024;

/// Bytes of one `assets.read`. The host copies so many between two checks of the deadline, which takes a millisecond.
pub const MAX_ASSET_READ: u32 = 4 * 1024 * 1024;

/// Bytes of WebAssembly stack. Ordinary code needs tens of KiB; recursion stops here, well inside
/// the fiber's own stack.
pub const MAX_WASM_STACK: usize = 512 * 1024;

/// Bytes of a fiber's stack: the WebAssembly stack and what host functions need above it.
pub const FIBER_STACK: usize = 2 * 1024 * 1024;

/// The most that a process may take to initialise and compile one model; see `HostBuilder::compile_with`. Without such a
/// process nothing bounds compiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileLimits {
    /// Memory of the process's own; 4 GiB by default.
    pub memory: ByteSize,
    /// Wall-clock time, beside that of `init`; and, times the number of cores, processor time. 120 s by default.
    pub time: Duration,
}

/// The operator's caps. A model whose signed manifest asks for more than one of the sandbox caps
/// is refused with `admission.limit`; a request whose input is over an input cap with
/// `input.too-large`, before a sandbox is made.
///
/// ```
/// use ampoule_sandbox::Limits;
/// use ampoule_units::ByteSize;
///
/// let limits = Limits {
///     memory: ByteSize::from_mib(256),
///     deadline: std::time::Duration::from_secs(2),
///     ..Limits::default()
/// };
/// ```
///
/// Later versions may have more fields: write the rest as `..Limits::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory and tables of one sandbox; 512 MiB by default.
    pub memory: ByteSize,
    /// Fuel of one request: one for each WebAssembly operator, and one for each byte or table element that
    /// an operator in bulk moves, such as `memory.fill`. 100,000,000,000 by default.
    pub fuel: Fuel,
    /// Wall-clock time of one request, the wait in the queue included; 5 s by default.
    pub deadline: Duration,
    /// Bytes that a guest may hand to the host in one call, and in all chunks of a generation together; 8 MiB by
    /// default.
    pub output: ByteSize,
    /// Chunks of one generation; 16,384 by default.
    pub chunks: u32,
    /// The longest wait of a generation's sandbox for its caller to ask for the next chunk; 2 s by default.
    pub idle: Duration,
    /// The budget of `init`; 1 GiB, 1,200,000,000,000 of fuel and 60 s by default.
    pub init: Budget,
    /// The most that compiling may take.
    pub compile: CompileLimits,
    /// Bytes of log, standard output and standard error that are kept of one sandbox. Of `init`, which is run once
    /// for all of them, 1 MiB is kept at most. 64 KiB by default.
    pub log: ByteSize,
    /// Bytes of one encoded or raw image; 16 MiB by default.
    pub image: ByteSize,
    /// Pixels of one image; 4,096 × 4,096 by default.
    pub image_pixels: u64,
    /// Images in one request; 16 by default.
    pub images: usize,
    /// Characters (Unicode scalar values) of one text; 1,000 by default.
    pub text_chars: usize,
    /// Texts in one request. All texts of a conversation together have at most as many characters as so many
    /// texts may have. 256 by default.
    pub texts: usize,
    /// Turns of one conversation; 1,000 by default.
    pub turns: usize,
    /// Bytes of the component itself; 64 MiB by default.
    pub component: ByteSize,
    /// Bytes of all the files of one bundle; 4 GiB by default.
    pub bundle: ByteSize,
    /// Sandboxes alive at once; 64 by default.
    pub sandboxes: usize,
    /// Requests that wait for a thread; 256 by default.
    pub queue: usize,
    /// Models that are loaded at once. Each may start a process of [`CompileLimits::memory`]. 2 by
    /// default.
    pub loads: usize,
    /// Loads that wait for their turn; more are told `limit.busy`. 256 by default.
    pub waiting_loads: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            memory: DEFAULT_COMPILE_MEMORY,
            time: DEFAULT_COMPILE_TIME,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: DEFAULT_MEMORY,
            fuel: DEFAULT_FUEL,
            deadline: DEFAULT_DEADLINE,
            output: DEFAULT_OUTPUT,
            chunks: DEFAULT_CHUNKS,
            idle: DEFAULT_IDLE,
            init: Budget {
                memory: DEFAULT_INIT_MEMORY,
                fuel: DEFAULT_INIT_FUEL,
                deadline: DEFAULT_INIT_DEADLINE,
            },
            compile: CompileLimits::default(),
            log: DEFAULT_LOG,
            image: DEFAULT_IMAGE_BYTES,
            image_pixels: DEFAULT_IMAGE_PIXELS,
            images: DEFAULT_IMAGES,
            text_chars: DEFAULT_TEXT_CHARS,
            texts: DEFAULT_TEXTS,
            turns: DEFAULT_TURNS,
            component: DEFAULT_COMPONENT,
            bundle: DEFAULT_BUNDLE,
            sandboxes: DEFAULT_SANDBOXES,
            queue: DEFAULT_QUEUE,
            loads: DEFAULT_LOADS,
            waiting_loads: DEFAULT_WAITING_LOADS,
        }
    }
}

impl Limits {
    /// Returns the most that sandboxes of one model may cost.
    #[must_use]
    pub fn budgets(&self) -> SandboxBudgets {
        SandboxBudgets {
            request: Budget {
                memory: self.memory,
                fuel: self.fuel,
                deadline: self.deadline,
            },
            init: self.init,
            output: self.output,
        }
    }

    /// Returns the bytes of log that are kept of `init`.
    pub fn init_log(&self) -> ByteSize {
        self.log.min(MAX_INIT_LOG)
    }

    /// Returns limits for hosts that serve strangers' models of a few megabytes: 1 MiB an image, 1,000 characters a text,
    /// 5 s a request, 100 MiB a sandbox and its `init`, half a second to ask for the next chunk. The others are the
    /// defaults.
    #[must_use]
    pub fn strict() -> Self {
        let limits = Self::default();
        Self {
            memory: STRICT_MEMORY,
            deadline: STRICT_DEADLINE,
            image: STRICT_IMAGE_BYTES,
            text_chars: STRICT_TEXT_CHARS,
            idle: STRICT_IDLE,
            init: Budget {
                memory: STRICT_MEMORY,
                ..limits.init
            },
            ..limits
        }
    }
}
