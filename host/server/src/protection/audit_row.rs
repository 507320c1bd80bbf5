//! Rows of requests: facts, and no words of the caller but the request's id.

use ampoule::{ModelFacts, Timestamp};
use ampoule_access::{Principal, PrincipalKind, Reason};
use ampoule_audit::{Decision, Event, Row, RowModel, Who};
use axum::http::Method;

use crate::request::ended::{Ended, Outcome};

/// Methods with their own names. Others are words of the caller.
const METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// Makes the row of a request that is over.
pub(crate) fn of(ended: &Ended<'_>) -> Row {
    let notes = ended.notes;
    let error = notes.error.as_deref();
    let (event, decision) = if notes.is_let_in {
        (Event::Request, Decision::Allow)
    } else {
        (Event::Denied, Decision::Deny)
    };
    let mut row = Row::new(event, Timestamp::now());
    row.decision = Some(decision);
    row.id = Some(ended.id.into());
    row.who = notes.caller.as_ref().map(who);
    row.peer = ended.peer.map(|peer| peer.to_string().into());
    row.address = ended
        .forwarded_client()
        .map(|address| address.to_string().into());
    row.tls = ended.tls.map(Into::into);
    row.method = ended.method.map(|method| {
        let is_known = METHODS.contains(method);
        if is_known { method.as_str() } else { "other" }.into()
    });
    row.route = Some(ended.route.into());
    row.family = Some(ended.family.name().into());
    row.model = notes.model.as_deref().map(|name| {
        let facts = notes.asked.as_ref().map(|model| model.facts());
        model(name, facts)
    });
    row.task = notes.task.map(|task| task.name().into());
    if !notes.is_let_in {
        let reason = notes.denied.map(Reason::code).or(error);
        row.reason = reason.map(Into::into);
    }
    row.status = ended.status.map(|status| status.as_u16());
    row.outcome = Some(match (ended.outcome, error) {
        (Outcome::Error, Some(code)) => code.into(),
        (outcome, _) => outcome.name().into(),
    });
    row.body_bytes = Some(notes.body_bytes);
    row.bytes = Some(ended.bytes);
    row.input_tokens = ended.answered(notes.input_tokens);
    row.output_tokens = ended.answered(notes.output_tokens);
    row.fuel = ended.sandboxed(notes.fuel.get());
    row.peak_memory_bytes = ended.sandboxed(notes.peak_memory.bytes());
    row.cache = notes.cache().map(Into::into);
    row.tls = ended.tls.map(Into::into);
    row.duration_us = Some(u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX));
    row
}

fn who(caller: &Principal) -> Who {
    let (kind, name) = match caller.kind() {
        PrincipalKind::Local => ("local", None),
        PrincipalKind::Anonymous => ("anonymous", None),
        PrincipalKind::Key(name) => ("key", Some(name.to_string())),
        PrincipalKind::Token(subject) => ("token", Some(subject.to_string())),
        PrincipalKind::Certificate(name) => ("certificate", Some(name.to_string())),
        _ => ("other", None),
    };
    Who {
        kind: Some(kind.into()),
        name: name.map(Into::into),
        tenant: caller.tenant().map(|tenant| (**tenant.shared()).into()),
        role: Some(caller.role().name().into()),
    }
}

fn model(name: &str, facts: Option<&ModelFacts>) -> RowModel {
    RowModel {
        name: Some(name.into()),
        publisher: facts.map(|facts| facts.publisher.as_str().into()),
        version: facts.map(|facts| facts.version.as_str().into()),
        release: facts.map(|facts| facts.release),
        manifest: facts.map(|facts| facts.manifest.as_str().into()),
    }
}
