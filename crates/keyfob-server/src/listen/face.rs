//! Which listener serves which routes.

/// The side of a server that a listener shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Face {
    /// Every route.
    #[default]
    All,
    /// What services and gateways ask: OAuth, verdicts, health.
    Public,
    /// What operators ask: `/v1`, metrics, documentation, the console, health.
    Management,
}

/// The paths that both sides have: those that orchestrators ask, and verdicts.
const BOTH: [&str; 4] = ["/healthz", "/readyz", "/v1/validate", "/v1/introspect"];

/// What the paths of the management side begin with.
const MANAGEMENT: [&str; 5] = ["/v1/", "/metrics", "/openapi.json", "/docs", "/console"];

impl Face {
    /// Returns whether it has the route at this path.
    pub(crate) fn has(self, path: &str) -> bool {
        if self == Self::All || BOTH.contains(&path) {
            return true;
        }
        let is_management = MANAGEMENT.iter().any(|beginning| path.starts_with(beginning));
        is_management == (self == Self::Management)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::table::routes;

    #[test]
    fn each_route_is_on_one_side_or_on_both() {
        for route in routes() {
            assert!(Face::All.has(route.path));
            let sides = [Face::Public, Face::Management].map(|face| face.has(route.path));
            assert!(sides != [false, false], "{route:?}");
        }
        assert!(!Face::Public.has("/v1/tokens"));
        assert!(!Face::Public.has("/metrics"));
        assert!(!Face::Management.has("/oauth2/token"));
        assert!(Face::Public.has("/v1/validate") && Face::Management.has("/v1/validate"));
    }
}
