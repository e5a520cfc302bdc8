//! What is counted of requests: by route, method and status.
//!
//! A route is the template of its path, out of a table; what leads nowhere counts as one. So
//! there are as many series as the table allows, whatever anybody sends. Each is looked up in
//! the recorder once; a request pays for one walk along the segments of its path, two clock
//! readings and two atomic additions.

use std::sync::OnceLock;
use std::time::Instant;

use api::routes::{METHODS, Route, place_of};
use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The route of whatever leads nowhere.
const NOWHERE: &str = "none";

/// The statuses that are told apart.
const STATUSES: [u16; 26] = [
    200, 201, 202, 204, 206, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 412, 413,
    415, 422, 429, 500, 502, 503, 504,
];

/// The classes of all others, by their hundreds.
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything that is counted here.
pub(crate) struct Meters {
    /// By how many segments their paths have; what is fixed comes before what varies.
    by_length: Vec<Vec<Metered>>,
    nowhere: Metered,
    in_flight: Gauge,
}

/// One route.
struct Metered {
    template: &'static str,
    /// The segments of its path; `None` where it varies.
    segments: Vec<Option<&'static str>>,
    methods: [OnceLock<ByMethod>; METHODS.len()],
}

/// One method of a route.
struct ByMethod {
    template: &'static str,
    method: &'static str,
    seconds: Histogram,
    statuses: [OnceLock<Counter>; STATUSES.len()],
    classes: [OnceLock<Counter>; CLASSES.len()],
}

/// A request that is being counted.
pub(crate) struct Counted<'a> {
    by: &'a ByMethod,
    begun: Instant,
}

impl Metered {
    fn new(template: &'static str) -> Self {
        let varies = |segment: &&'static str| segment.starts_with('{');
        let segments = template.split('/').skip(1);
        let segments = segments.map(|s| Some(s).filter(|s| !varies(s))).collect();
        Self { template, segments, methods: Default::default() }
    }

    fn fits(&self, path: &str) -> bool {
        let mut segments = path.split('/').skip(1);
        self.segments.iter().all(|wanted| {
            segments.next().is_some_and(|found| match wanted {
                Some(fixed) => *fixed == found,
                None => !found.is_empty(),
            })
        })
    }

    fn method(&self, method: &Method) -> &ByMethod {
        let place = place_of(method);
        self.methods[place].get_or_init(|| {
            let (template, method) = (self.template, METHODS[place]);
            ByMethod {
                template,
                method,
                seconds: histogram!(
                    "eventflow_http_request_duration_seconds",
                    "route" => template, "method" => method
                ),
                statuses: Default::default(),
                classes: Default::default(),
            }
        })
    }
}

impl ByMethod {
    fn status(&self, status: StatusCode) -> &Counter {
        let count = |status: String| {
            counter!(
                "eventflow_http_requests_total",
                "route" => self.template, "method" => self.method, "status" => status
            )
        };
        match STATUSES.binary_search(&status.as_u16()) {
            Ok(place) => self.statuses[place].get_or_init(|| count(STATUSES[place].to_string())),
            Err(_) => {
                let class = usize::from(status.as_u16() / 100);
                let class = if class < CLASSES.len() { class } else { 0 };
                self.classes[class].get_or_init(|| count(CLASSES[class].to_owned()))
            }
        }
    }
}

impl Meters {
    /// Counts what comes for these routes.
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut templates: Vec<_> = routes.iter().map(|route| route.path).collect();
        templates.sort_unstable();
        templates.dedup();
        let mut by_length: Vec<Vec<Metered>> = Vec::new();
        for template in templates {
            let route = Metered::new(template);
            let length = route.segments.len();
            if by_length.len() <= length {
                by_length.resize_with(length + 1, Vec::new);
            }
            by_length[length].push(route);
        }
        for routes in &mut by_length {
            // As the routers match: a fixed segment goes before one that varies.
            routes.sort_by_key(|route| {
                route.segments.iter().map(Option::is_none).collect::<Vec<bool>>()
            });
        }
        let in_flight = gauge!("eventflow_http_requests_in_flight");
        Self { by_length, nowhere: Metered::new(NOWHERE), in_flight }
    }

    /// So many requests are under way.
    pub(crate) fn set_in_flight(&self, count: usize) {
        self.in_flight.set(count as f64);
    }

    /// Begin to count a request.
    pub(crate) fn count(&self, method: &Method, path: &str) -> Counted<'_> {
        let length = path.bytes().filter(|byte| *byte == b'/').count();
        let routes = self.by_length.get(length).map_or(&[][..], Vec::as_slice);
        let route = routes.iter().find(|route| route.fits(path)).unwrap_or(&self.nowhere);
        Counted { by: route.method(method), begun: Instant::now() }
    }
}

impl Counted<'_> {
    /// It was answered: the head of the answer is there.
    pub(crate) fn answered(self, status: StatusCode) {
        self.by.seconds.record(self.begun.elapsed());
        self.by.status(status).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use api::routes::Access;

    use super::*;

    fn meters() -> Meters {
        let route = |path| Route { method: Method::GET, path, access: Access::Anyone };
        Meters::new(&[
            route("/"),
            route("/bookings"),
            route("/bookings/{id}"),
            route("/bookings/holds"),
            route("/bookings/user/{user_id}/event/{event_id}"),
            route("/events/{id}"),
        ])
    }

    #[test]
    fn a_path_counts_for_the_template_that_serves_it() {
        let meters = meters();
        for (path, template) in [
            ("/", "/"),
            ("/bookings", "/bookings"),
            ("/bookings/0198c0de-0000-7000-8000-0123456789ab", "/bookings/{id}"),
            ("/bookings/holds", "/bookings/holds"),
            ("/bookings/user/1/event/2", "/bookings/user/{user_id}/event/{event_id}"),
            ("/events/x", "/events/{id}"),
            ("/events/", NOWHERE),
            ("/events", NOWHERE),
            ("/events/x/y", NOWHERE),
            ("", NOWHERE),
            ("*", NOWHERE),
        ] {
            let counted = meters.count(&Method::GET, path);
            assert_eq!(counted.by.template, template, "{path}");
            counted.answered(StatusCode::OK);
        }
    }

    #[test]
    fn strange_methods_and_statuses_make_no_series_of_their_own() {
        let meters = meters();
        for method in ["BREW", "TRACE", "get"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(meters.count(&method, "/bookings").by.method, "other");
        }
        let by = meters.count(&Method::GET, "/bookings").by;
        for status in (100..1000).filter_map(|n| StatusCode::from_u16(n).ok()) {
            by.status(status).increment(1);
        }
        let made = by.statuses.iter().chain(&by.classes).filter(|made| made.get().is_some());
        assert_eq!(made.count(), STATUSES.len() + CLASSES.len());
        assert!(STATUSES.is_sorted(), "they are searched by halves");
    }
}
