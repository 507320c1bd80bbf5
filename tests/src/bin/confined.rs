//! Starts a program under a filter on system calls (seccomp), as a service manager or a container does.
//!
//! `confined FILTER PROGRAM ARGUMENTS`. The filters are those that the deployment tests need.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's harness fails by panicking"
)]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls, each with the bits that have to be set in its third argument for it to be refused.
type Refused = Vec<(i64, Option<i32>)>;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let filter = arguments.next().unwrap();
    let (errno, refused) = match filter.to_str().unwrap() {
        // As `MemoryDenyWriteExecute=` does (systemd.exec).
        "no-executable-memory" => (
            libc::EPERM,
            vec![
                (libc::SYS_mmap, Some(libc::PROT_WRITE | libc::PROT_EXEC)),
                (libc::SYS_mprotect, Some(libc::PROT_EXEC)),
                (libc::SYS_pkey_mprotect, Some(libc::PROT_EXEC)),
                (libc::SYS_shmat, Some(libc::SHM_EXEC)),
            ],
        ),
        "system-service" => (libc::EPERM, outside_of_system_service()),
        // The same for a unit with `RestrictAddressFamilies=AF_INET AF_INET6`.
        "network-service" => {
            let mut refused = outside_of_system_service();
            refused.retain(|(call, _)| ![libc::SYS_socket, libc::SYS_socketpair].contains(call));
            (libc::EPERM, refused)
        }
        "no-files-in-memory" => (libc::EPERM, vec![(libc::SYS_memfd_create, None)]),
        // A seccomp profile that is older than the call answers so.
        "no-openat2" => (libc::EPERM, vec![(libc::SYS_openat2, None)]),
        // Docker's answers so, to see the older call's arguments.
        "no-clone3" => (libc::ENOSYS, vec![(libc::SYS_clone3, None)]),
        other => panic!("there is no filter {other}"),
    };
    let rules: BTreeMap<_, _> = refused
        .into_iter()
        .map(|(call, bits)| (call, bits.map(third_argument_has).into_iter().collect()))
        .collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&filter).unwrap();
    let program = arguments.next().unwrap();
    let error = Command::new(&program).args(arguments).exec();
    panic!("{}: {error}", program.display());
}

fn third_argument_has(bits: i32) -> SeccompRule {
    let bits = u64::from(bits.unsigned_abs());
    let has = SeccompCmpOp::MaskedEq(bits);
    let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, has, bits).unwrap();
    SeccompRule::new(vec![condition]).unwrap()
}

/// Lists the calls that `@system-service` and `~@privileged @resources` leave out, and those that settings of the
/// sample unit refuse: `RestrictAddressFamilies=none`, `RestrictNamespaces=`, `LockPersonality=`,
/// `RestrictRealtime=`, `ProtectClock=`, `ProtectHostname=`, `ProtectKernelLogs=`,
/// `ProtectKernelModules=`, `KeyringMode=`.
fn outside_of_system_service() -> Refused {
    [
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_adjtimex,
        libc::SYS_bpf,
        libc::SYS_capset,
        libc::SYS_chroot,
        libc::SYS_clock_adjtime,
        libc::SYS_clock_settime,
        libc::SYS_delete_module,
        libc::SYS_fanotify_init,
        libc::SYS_fanotify_mark,
        libc::SYS_fchown,
        libc::SYS_fchownat,
        libc::SYS_finit_module,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_init_module,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_setup,
        libc::SYS_ioprio_set,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_mbind,
        libc::SYS_migrate_pages,
        libc::SYS_mount,
        libc::SYS_move_mount,
        libc::SYS_move_pages,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_perf_event_open,
        libc::SYS_personality,
        libc::SYS_pivot_root,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_ptrace,
        libc::SYS_quotactl,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_set_mempolicy,
        libc::SYS_setdomainname,
        libc::SYS_setgid,
        libc::SYS_setgroups,
        libc::SYS_sethostname,
        libc::SYS_setns,
        libc::SYS_setpriority,
        libc::SYS_setregid,
        libc::SYS_setresgid,
        libc::SYS_setresuid,
        libc::SYS_setreuid,
        libc::SYS_setrlimit,
        libc::SYS_settimeofday,
        libc::SYS_setuid,
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_syslog,
        libc::SYS_umount2,
        libc::SYS_unshare,
        libc::SYS_userfaultfd,
        libc::SYS_vhangup,
    ]
    .map(|call| (call, None))
    .to_vec()
}
