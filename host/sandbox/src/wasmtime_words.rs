//! Decisions by the error texts of Wasmtime and of the standard library, where they have no public type. No other file
//! decides by such a text. None of these functions is given a guest's own message. The standard error of the process that compiles
//! is looked at only when that process has ended without an answer.
//!
//! The tests here and those that are named provoke each text, and fail when it changes with a new version.

use crate::limits::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES};

/// Tells whether a guest handed over more than `Store::set_hostcall_fuel` allows
/// (`a_giant_answer_is_refused`).
pub fn is_hostcall_fuel(words: &str) -> bool {
    words.contains("fuel allocated for hostcalls has been exhausted")
}

/// Returns a sentence about the count of a component that is over a store's limit, with both numbers.
pub fn store_count(words: &str) -> Option<String> {
    [
        ("instance count", "core instances", MAX_INSTANCES),
        ("memory count", "memories", MAX_MEMORIES),
        ("table count", "tables", MAX_TABLES),
    ]
    .iter()
    .find_map(|(count, what, allowed)| {
        let (_, after) = words.split_once(&format!("{count} too high at "))?;
        let digits = after.find(|c: char| !c.is_ascii_digit());
        let needed = &after[..digits.unwrap_or(after.len())];
        Some(format!("{needed} {what} needed, {allowed} allowed"))
    })
}

/// Tells whether Wasmtime refuses a component for more instances, memories or tables than a slot of the pool has.
pub fn is_pool_count(words: &str) -> bool {
    words.contains("in the pooling allocator") || words.contains("in pooling allocator")
}

/// Tells whether a process has aborted for a failed allocation, by the standard library's words on standard error
/// (`a_component_that_takes_all_memory_to_compile_is_given_up`).
pub fn is_failed_allocation(words: &str) -> bool {
    words.contains("memory allocation of")
}

/// Tells whether a process has panicked because the system gave no thread, by its standard error (`EAGAIN`;
/// `with_too_few_threads_the_command_says_so_and_never_crashes`).
pub fn is_refused_thread(words: &str) -> bool {
    words.contains("kind: WouldBlock")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use wasmtime::component::{Component, Linker};
    use wasmtime::{
        Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreLimits,
        StoreLimitsBuilder,
    };

    use super::*;

    /// Two instances with a memory and a table each.
    fn component() -> Vec<u8> {
        let text = "(component
            (core module $m (memory 1) (table 1 funcref))
            (core instance (instantiate $m))
            (core instance (instantiate $m)))";
        wat::parse_str(text).unwrap()
    }

    fn instantiate(limits: StoreLimits) -> String {
        let engine = Engine::default();
        let component = Component::new(&engine, component()).unwrap();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let refused = Linker::new(&engine).instantiate(&mut store, &component);
        format!("{:#}", refused.err().unwrap())
    }

    #[test]
    fn what_a_store_may_not_have_is_known_by_wasmtimes_words() {
        for limits in [
            StoreLimitsBuilder::new().instances(1),
            StoreLimitsBuilder::new().memories(1),
            StoreLimitsBuilder::new().tables(1),
        ] {
            let words = instantiate(limits.build());
            let told = store_count(&words).unwrap();
            assert!(
                told.starts_with("2 ") && told.ends_with(" allowed"),
                "{told}"
            );
            assert!(
                !is_pool_count(&words) && !is_hostcall_fuel(&words),
                "{words}"
            );
        }
    }

    #[test]
    fn what_a_place_in_the_pool_does_not_have_is_known_by_wasmtimes_words() {
        let one = || {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_memories(1)
                .total_tables(1)
                .total_core_instances(1);
            pool.total_component_instances(1);
            pool
        };
        let mut pools = [one(), one(), one()];
        pools[0].max_core_instances_per_component(1);
        pools[1].max_memories_per_component(1);
        pools[2].max_tables_per_component(1);
        for pool in pools {
            let mut config = Config::new();
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
            let engine = Engine::new(&config).unwrap();
            let refused = Component::new(&engine, component()).err().unwrap();
            let words = format!("{refused:#}");
            assert!(is_pool_count(&words), "{words}");
            assert_eq!(store_count(&words), None);
        }
    }
}
