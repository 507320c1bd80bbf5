//! The process, under the names that Prometheus' own clients give to its metrics.

use std::time::Duration;

/// Ticks of a second in `/proc`. Linux' interface to programs has this number on every processor.
const TICKS: u64 = 100;

/// Facts of the process that do not change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// Time of its start, since 1970.
    pub(crate) started: Option<Duration>,
}

/// The process at one moment. A number that the system does not give is `None`, and has no series.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessNow {
    /// Processor time, of the system for it included.
    pub(crate) processor_time: Option<Duration>,
    /// Memory that is resident, in bytes.
    pub(crate) resident: Option<u64>,
    pub(crate) open_descriptors: Option<u64>,
}

impl Process {
    pub(crate) fn begin() -> Self {
        Self { started: started() }
    }
}

impl ProcessNow {
    pub(crate) fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let status = std::fs::read_to_string("/proc/self/status").ok();
        let descriptors = std::fs::read_dir("/proc/self/fd").ok();
        Self {
            processor_time: stat.as_deref().and_then(|stat| {
                let ticks = field(stat, 14)?.checked_add(field(stat, 15)?)?;
                Some(from_ticks(ticks))
            }),
            resident: status.as_deref().and_then(resident),
            open_descriptors: descriptors.map(|open| open.count() as u64),
        }
    }
}

fn started() -> Option<Duration> {
    let after_boot = std::fs::read_to_string("/proc/self/stat").ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "));
    let boot: u64 = boot?.trim().parse().ok()?;
    Some(Duration::from_secs(boot) + from_ticks(field(&after_boot, 22)?))
}

/// Returns a field of `/proc/PID/stat` by its number in proc(5). The second is a name in parentheses, with spaces and
/// further parentheses if the program likes.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    fields.nth(number.checked_sub(3)?)?.parse().ok()
}

fn resident(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = kib?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1_000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) (b c) S 1 2 3";
        assert_eq!(field(stat, 4), Some(1));
        assert_eq!(field(stat, 6), Some(3));
        assert_eq!(field(stat, 7), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_began_before_now() {
        let now = ProcessNow::read();
        assert!(now.resident > Some(1 << 20), "{now:?}");
        assert!(now.open_descriptors >= Some(3), "{now:?}");
        assert!(now.processor_time.is_some());
        let since_1970 = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        let started = Process::begin().started.unwrap_or_default();
        let age = (since_1970 + Duration::from_secs(2)).checked_sub(started);
        assert!(age < Some(Duration::from_secs(86_400)), "{started:?}");
    }
}
