//! Which operation a request is for.

use std::cell::OnceCell;

use gateway_route::{Params, RequestPath, Selectors};

use crate::contested::{Ambiguity, Readings};
use crate::deployment::{PreparedOperation, ServedOperation, ServedRoute};
use crate::pipeline::browsers::Preflighted;
use crate::pipeline::plain::refuse_plain;
use crate::pipeline::record::{Ending, Record};
use crate::pipeline::request::{self, Request};
use crate::pipeline::unrouted::RewrittenTarget;
use crate::rules;
use crate::tables::Preflight;
use gateway_wire::reject::Reject;

/// Where a request goes.
pub(crate) struct Routed<'a> {
    pub(crate) operation: &'static PreparedOperation,
    /// Of the path's template, where there is one.
    pub(crate) params: Option<Params<'a>>,
    /// As received, or as rules have made it.
    pub(crate) path: &'a RequestPath<'a>,
    /// As received, or as rules have made it.
    pub(crate) query: Option<&'a str>,
}

/// Room for what [`Routed`] borrows of, where that is not the request itself.
#[derive(Default)]
pub(crate) struct RouteSpace<'a> {
    /// The target that rules have made.
    target: OnceCell<String>,
    /// Its path.
    path: OnceCell<RequestPath<'a>>,
    /// How an upstream may read the path.
    readings: OnceCell<Readings>,
}

impl Record<'_> {
    /// Finds the operation for a request.
    ///
    /// # Errors
    /// 404 for a path, and 405 for a method, that is not described; 404 for a path that an upstream may read in several
    /// ways; 301, 308, 403 or 421 for plain HTTP where it must come over TLS; what a rule answers, and the answer to a
    /// preflight request.
    pub(crate) fn route<'a>(
        &mut self,
        request: &'a Request<'a>,
        space: &'a RouteSpace<'a>,
    ) -> Result<Routed<'a>, Ending> {
        let Request { head, target, path } = request;
        let listener = self.serving.listener;
        let fields = |name: &str| head.reading(name);
        let selectors = Selectors { query: target.query, fields: Some(&fields) };
        let (path, query, rule, found) = match listener.apis.router.find(path, selectors) {
            Some(found) => (path, target.query, None, Some(found)),
            None => {
                self.answer_unrouted(head);
                let RewrittenTarget { target, rule } = self.apply_rules(request, selectors)?; // 400 404 414, or what a rule answers
                let (path, query) = rules::read(space.target.get_or_init(|| target))?;
                let path = space.path.get_or_init(|| path);
                let asks = || listener.apis.router.find(path, Selectors { query, ..selectors });
                (path, query, rule, if rule.is_none() { asks() } else { None })
            }
        };
        let (operation, params, preflighted) = match (rule, found) {
            (Some(rule), _) => {
                let preflighted = self.preflight(rule.route.prepared, head, |method| rule.operation(method))?; // 204 403
                self.answer_as(rule.route.prepared.for_browsers.as_deref(), head);
                (rule.operation(head.method).ok_or(Reject::MethodNotAllowed)?, None, preflighted) // 405
            }
            (None, Some(found)) => {
                let route = listener.route(found.index);
                self.route = Some(route.prepared);
                if let (Some(https_only), false) = (&route.prepared.https_only, self.is_https) {
                    self.answer_as(route.prepared.for_browsers.as_deref(), head);
                    return Err(refuse_plain(https_only, request)); // 301 308 403 421
                }
                let preflighted = self.preflight(route.prepared, head, |method| route.operation(method))?; // 204 403
                (self.pick(route, request, preflighted)?, Some(found.params), preflighted) // 405, or the answer to a preflight request
            }
            (None, None) => return Err(Reject::NotFound.into()), // 404
        };
        let readings = space.readings.get_or_init(|| Readings::of(listener, operation, path));
        let (operation, params) = match readings.stricter(listener, operation, Selectors { query, ..selectors }) {
            Ok(None) => (operation, params),
            Ok(Some((route, stricter, params))) => {
                self.route = Some(route.prepared);
                (stricter, Some(params))
            }
            Err(Ambiguity) => {
                let why = "the upstream may read it as an operation with another security";
                return Err(Reject::AmbiguousPath(why).into()); // 404
            }
        };
        self.operation = Some(operation);
        let operation = operation.prepared;
        match preflighted {
            Preflighted::No => self.answer_as(operation.for_browsers.as_deref(), head),
            Preflighted::WithoutPolicy => self.answer_without_cors(operation.for_browsers.as_deref()),
        }
        self.check_origin(request)?; // 403
        self.check_upgrade(operation, request)?; // 400 403
        Ok(Routed { operation, params, path, query })
    }

    /// The operation for a method; a path that is described for other methods only is 405 (RFC 9110 §15.5.6).
    fn pick(
        &mut self,
        route: ServedRoute<'static>,
        request: &Request<'_>,
        preflighted: Preflighted,
    ) -> Result<ServedOperation<'static>, Ending> {
        if let Some(operation) = route.operation(request.head.method) {
            return Ok(operation);
        }
        let route = route.prepared;
        match preflighted {
            Preflighted::No => self.answer_as(route.for_browsers.as_deref(), &request.head),
            Preflighted::WithoutPolicy => self.answer_without_cors(route.for_browsers.as_deref()),
        }
        if request.head.method == "OPTIONS" && route.preflight == Preflight::Answer {
            return Err(Ending::Answer(Box::new(request::answer_preflight(route, &request.head))));
        }
        Err(Reject::MethodNotAllowed.into())
    }
}
