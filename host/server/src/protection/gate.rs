//! The gate in front of each route: who asks, may they, and have they any of their limits left. It comes before the
//! body is read.

use ampoule_access::{Denial, Permission};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;
use crate::http::name::Name;
use crate::protection::denial::error_of;
use crate::protection::rule::Rule;
use crate::request::context::Context;
use crate::request::seen::Seen;
use crate::service::Service;

/// Gate of a route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) service: Service,
    pub(crate) rules: Rules,
}

/// Rules of the paths that one route of the router serves.
#[derive(Clone, Copy)]
pub(crate) enum Rules {
    One(Rule),
    /// By the path's parameter, decoded.
    ByName(fn(&str) -> Rule),
}

/// Lets a request in, or refuses it.
pub(crate) async fn admit(
    State(gate): State<Gate>,
    context: Context,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let rule = match gate.rules {
        Rules::One(rule) => rule,
        Rules::ByName(rule_of) => rule_of(&Name::from_request_parts(&mut parts, &()).await?.0),
    };
    let protection = gate.service.protection();
    let refused = |denial: Denial| {
        context.notes().denied = Some(denial.reason);
        error_of(denial)
    };
    // Before anything is done, and before it is known who asks: a refusal has a row, too.
    match (rule, protection.audit()) {
        (Rule::Public, _) => context.notes().is_unrecorded = true,
        (Rule::Needs(permission), Some(audit)) => {
            let row = audit.reserve();
            context.notes().is_unrecorded = row.is_err();
            match row {
                Ok(row) => context.keep_row(row),
                // Those who watch a server are to see why it answers nothing else.
                Err(_) if permission == Permission::Metrics => {}
                Err(error) => return Err(error),
            }
        }
        (Rule::Needs(_), None) => {}
    }
    let seen = Seen::of(&parts.extensions);
    let caller = seen.check(&parts.headers);
    let caller = caller.and_then(|()| protection.caller_on(&parts.extensions, &parts.headers));
    match rule {
        // Those who watch a server with an old key are to see that it lives.
        Rule::Public => {
            if let Ok(caller) = caller {
                context.let_in(caller, None);
            }
        }
        Rule::Needs(permission) => {
            let caller = caller.map_err(refused)?;
            context.notes().caller = Some(caller.clone());
            caller.demand(permission).map_err(refused)?;
            let charge = protection.charge(&caller, seen.address).map_err(refused)?;
            let answers = protection.answers_of(&caller, permission);
            context.let_in(caller, Some(charge));
            if let Some(answers) = answers {
                context.keep_answers_in(answers);
            }
        }
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}
