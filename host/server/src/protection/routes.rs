//! The table of routes. There is no other way to a route than one of these functions, and each takes the route's rule,
//! so a route without a rule does not compile.

use std::collections::BTreeSet;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use serde_json::Value;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::protection::gate::{Gate, Rules, admit};
use crate::protection::rule::Rule;
use crate::service::Service;

/// Name of the one way to present a credential, in the description of the routes.
pub(crate) const SECURITY: &str = "key";

/// The member of a described route that names its rule.
const RULE: &str = "x-ampoule-permission";

/// Routes of a service, each behind its gate.
pub(crate) struct Routes {
    service: Service,
    router: OpenApiRouter<Service>,
    /// Patterns of the routes that strangers are not let in to.
    guarded: BTreeSet<String>,
}

impl Routes {
    pub(crate) fn new(service: &Service) -> Self {
        Self {
            service: service.clone(),
            router: OpenApiRouter::new(),
            guarded: BTreeSet::new(),
        }
    }

    /// Adds the routes of one or more handlers.
    pub(crate) fn add(mut self, rule: Rule, routes: UtoipaMethodRouter<Service>) -> Self {
        let (schemas, mut paths, methods) = routes;
        if rule != Rule::Public {
            self.guarded.extend(paths.paths.keys().cloned());
        }
        for item in paths.paths.values_mut() {
            self.describe(item, rule);
        }
        let methods = self.gated(Rules::One(rule), methods);
        let router = self.router.routes((schemas, paths, methods));
        Self { router, ..self }
    }

    /// Adds a route whose path ends with a parameter that decides on the rule. `described` has a description of each
    /// path, in which braces stand for the parts that `rule_of` passes over.
    pub(crate) fn add_by_name(
        mut self,
        start: &str,
        rule_of: fn(&str) -> Rule,
        mut described: OpenApi,
        methods: MethodRouter<Service>,
    ) -> Self {
        for (path, item) in &mut described.paths.paths {
            let rule = rule_of(path.strip_prefix(start).unwrap_or(path));
            self.describe(item, rule);
        }
        let methods = self.gated(Rules::ByName(rule_of), methods);
        let pattern = format!("{start}{{*path}}");
        let router = self.router.route(&pattern, methods);
        self.guarded.insert(pattern);
        let router = router.merge(OpenApiRouter::with_openapi(described));
        Self { router, ..self }
    }

    /// Adds a route that is no interface for programs, and so is not described.
    pub(crate) fn add_undescribed(
        self,
        rule: Rule,
        path: &str,
        methods: MethodRouter<Service>,
    ) -> Self {
        let methods = self.gated(Rules::One(rule), methods);
        let router = self.router.route(path, methods);
        Self { router, ..self }
    }

    /// Returns the patterns of the routes that need a permission, as the router has them.
    pub(crate) fn guarded(self) -> BTreeSet<String> {
        self.guarded
    }

    /// Returns the routes and their description.
    pub(crate) fn finish(self) -> (Router<Service>, OpenApi) {
        self.router.split_for_parts()
    }

    fn gated(&self, rules: Rules, methods: MethodRouter<Service>) -> MethodRouter<Service> {
        let gate = Gate {
            service: self.service.clone(),
            rules,
        };
        methods.layer(from_fn_with_state(gate, admit))
    }

    fn describe(&self, item: &mut PathItem, rule: Rule) {
        let is_protected = self.service.protection().is_on();
        for operation in operations(item) {
            let rule_name = ExtensionsBuilder::new().add(RULE, Value::from(rule.name()));
            let extensions = operation.extensions.get_or_insert_default();
            extensions.merge(rule_name.build());
            let Rule::Needs(permission) = rule else {
                continue;
            };
            if is_protected {
                let key = SecurityRequirement::new(SECURITY, [] as [&str; 0]);
                let or_none = self.service.protection().lets_strangers(permission);
                let or_none = or_none.then(SecurityRequirement::default);
                operation.security = Some([key].into_iter().chain(or_none).collect());
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.head,
        &mut item.patch,
    ];
    all.into_iter().flatten()
}
