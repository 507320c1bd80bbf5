//! The gate in front of each route: who asks, may they, and have they any of their limits left. It comes before the
//! body is read.

use ampoule_access::{Denial, Permission};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::Method;
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
            let counted = protection.counted(&parts.extensions);
            let caller =
                caller.map_err(|denial| refused(protection.turn_away(denial, counted.address)))?;
            let mut notes = context.notes();
            notes.caller = Some(caller.clone());
            notes.counted = Some(counted);
            drop(notes);
            caller.demand(permission).map_err(refused)?;
            let charge = protection.charge(&caller, counted).map_err(refused)?;
            let answers = protection.answers_of(&caller, permission);
            context.let_in(caller, Some(charge));
            if let Some(answers) = answers {
                context.keep_answers_in(answers);
            }
        }
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Answers a request for a route that there is not.
pub(crate) async fn no_route(
    State(service): State<Service>,
    context: Context,
    request: Request,
) -> ApiError {
    let counted = count_lost(&service, &context, &request);
    counted.map_or_else(|error| error, |()| ApiError::no_route(request.uri().path()))
}

/// Answers a request by a method that the route does not take.
pub(crate) async fn wrong_method(
    State(service): State<Service>,
    context: Context,
    method: Method,
    request: Request,
) -> ApiError {
    let counted = count_lost(&service, &context, &request);
    counted.map_or_else(|error| error, |()| ApiError::wrong_method(&method))
}

/// Counts a request that no route answers: for its caller, or for the address of a caller without a good credential.
fn count_lost(service: &Service, context: &Context, request: &Request) -> Result<(), ApiError> {
    let protection = service.protection();
    let counted = protection.counted(request.extensions());
    let (extensions, headers) = (request.extensions(), request.headers());
    let caller = Seen::of(extensions).check(headers);
    let counting = match caller.and_then(|()| protection.caller_on(extensions, headers)) {
        Ok(caller) => protection.charge(&caller, counted).map(drop),
        Err(_) => protection.count_stranger(counted.address),
    };
    counting.map_err(|denial| {
        context.notes().denied = Some(denial.reason);
        error_of(denial)
    })
}
