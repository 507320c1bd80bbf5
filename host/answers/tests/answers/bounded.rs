//! Bounds on bytes.

use std::thread;

use ampoule_answers::{Answers, Bounds, MAX_ANSWER_BYTES};
use ampoule_signing::ByteSize;

use crate::{find, keep};

#[test]
fn a_tenant_has_no_more_than_its_bytes_and_loses_what_was_used_the_longest_ago() {
    let bounds = Bounds {
        tenant_bytes: ByteSize::from_mib(1),
        ..Bounds::default()
    };
    let answers = Answers::in_memory(bounds).unwrap();
    let acme = answers.of_tenant("acme").unwrap();
    let answer = vec![1; 100_000];
    for index in 0..30 {
        assert!(keep(&acme, &index.to_string(), &answer));
        assert!(find(&acme, "0").is_some(), "it is used each time");
        assert!(answers.counts().bytes <= bounds.tenant_bytes.bytes());
    }
    let held: Vec<i32> = (0..30)
        .filter(|index| find(&acme, &index.to_string()).is_some())
        .collect();
    assert_eq!(held, [0, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    assert_eq!(answers.counts().evicted, 20);
}

#[test]
fn the_bound_on_all_holds_at_each_moment_with_many_tenants_at_once() {
    let bounds = Bounds {
        bytes: ByteSize::from_mib(2),
        tenant_bytes: ByteSize::from_mib(1),
        ..Bounds::default()
    };
    let answers = Answers::in_memory(bounds).unwrap();
    thread::scope(|scope| {
        for tenant in 0..8 {
            let answers = &answers;
            scope.spawn(move || {
                let own = answers.of_tenant(&format!("tenant-{tenant}")).unwrap();
                for index in 0..200 {
                    keep(&own, &index.to_string(), &vec![1; 1_000 * (tenant + 1)]);
                    assert!(answers.counts().bytes <= bounds.bytes.bytes());
                }
            });
        }
    });
    let counts = answers.counts();
    assert!(counts.entries > 0 && counts.evicted > 0, "{counts:?}");
    answers.forget_all();
    assert_eq!(
        answers.counts().bytes,
        0,
        "each byte that was counted is given back"
    );
}

#[test]
fn an_answer_over_a_mebibyte_is_not_kept() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let acme = answers.of_tenant("acme").unwrap();
    let mut answer = vec![1; MAX_ANSWER_BYTES];
    assert!(keep(&acme, "text", &answer));
    answer.push(1);
    assert!(!keep(&acme, "longer", &answer));
    assert!(find(&acme, "longer").is_none());
    assert_eq!(answers.counts().kept, 1);
}

#[test]
fn an_answer_kept_twice_counts_once() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let acme = answers.of_tenant("acme").unwrap();
    assert!(keep(&acme, "text", b"answer"));
    let once = answers.counts().bytes;
    assert!(keep(&acme, "text", b"answer"));
    assert_eq!(answers.counts().bytes, once);
}
