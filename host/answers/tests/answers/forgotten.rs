//! Cleaning: by tenant, by model, and all.

use std::collections::BTreeSet;

use ampoule_answers::{Answers, Bounds, MasterKey, TenantAnswers};

use crate::directory::{KEY, files_in, private_directory};
use crate::{MODEL, find, keep};

#[test]
fn a_tenant_that_is_forgotten_leaves_no_entry_no_file_and_no_key() {
    for key in [None, Some(KEY)] {
        let (_parent, path) = private_directory();
        let key = key.map(|key| key.parse::<MasterKey>().unwrap());
        let answers = Answers::in_directory(Bounds::default(), &path, key).unwrap();
        let (acme, other) = (
            answers.of_tenant("acme").unwrap(),
            answers.of_tenant("other").unwrap(),
        );
        assert!(keep(&acme, "text", b"answer") && keep(&other, "text", b"another"));
        assert_eq!(files_in(&path).len(), 2);
        answers.forget_tenant("acme");
        answers.forget_tenant("nobody");
        assert_eq!(files_in(&path).len(), 1);
        assert!(find(&acme, "text").is_none());
        assert!(
            !keep(&acme, "text", b"answer"),
            "a request that had begun keeps nothing"
        );
        assert!(find(&answers.of_tenant("acme").unwrap(), "text").is_none());
        assert_eq!(find(&other, "text").unwrap(), b"another");
        assert_eq!(answers.counts().unreadable, 0);
    }
}

#[test]
fn a_tenant_is_forgotten_before_it_has_asked_this_process() {
    let (_parent, path) = private_directory();
    let open = || {
        let key = KEY.parse().unwrap();
        Answers::in_directory(Bounds::default(), &path, Some(key)).unwrap()
    };
    assert!(keep(&open().of_tenant("acme").unwrap(), "text", b"answer"));
    let again = open();
    again.forget_tenant("acme");
    assert!(files_in(&path).is_empty());
    assert_eq!(again.counts().bytes, 0);
}

#[test]
fn a_model_that_is_forgotten_takes_its_answers_to_all_tenants_along() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let tenants = ["acme", "other"].map(|tenant| answers.of_tenant(tenant).unwrap());
    for tenant in &tenants {
        assert!(keep(tenant, "text", b"answer"));
        assert!(tenant.keep(&tenant.question([8; 32]).finish(), b"another"));
    }
    answers.forget_model(&[9; 32]);
    assert_eq!(answers.counts().entries, 4);
    answers.forget_model(&MODEL);
    assert_eq!(answers.counts().entries, 2);
    for tenant in &tenants {
        assert!(find(tenant, "text").is_none());
        assert!(tenant.find(&tenant.question([8; 32]).finish()).is_some());
    }
    answers.forget_all();
    assert_eq!((answers.counts().entries, answers.counts().bytes), (0, 0));
}

#[test]
fn models_that_do_not_serve_are_forgotten_also_when_a_request_that_had_begun_keeps_an_answer() {
    let (_parent, path) = private_directory();
    let open = || {
        let key = KEY.parse().unwrap();
        Answers::in_directory(Bounds::default(), &path, Some(key)).unwrap()
    };
    let other = |tenant: &TenantAnswers| tenant.question([8; 32]).finish();
    let answers = open();
    let acme = answers.of_tenant("acme").unwrap();
    for _ in 0..2 {
        assert!(keep(&acme, "text", b"answer") && acme.keep(&other(&acme), b"another"));
        answers.forget_models_but(&BTreeSet::from([MODEL]));
        assert!(acme.find(&other(&acme)).is_none());
        assert!(find(&acme, "text").is_some());
    }
    drop((acme, answers));
    let again = open();
    again.forget_models_but(&BTreeSet::new());
    let acme = again.of_tenant("acme").unwrap();
    assert!(find(&acme, "text").is_some(), "its model may be loading");
    assert!(keep(&acme, "another text", b"answer"));
    again.forget_models_but(&BTreeSet::new());
    assert_eq!(again.counts().entries, 0);
}
