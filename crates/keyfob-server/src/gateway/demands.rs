//! What a gateway demands of a token, as pairs of a name and a value: the query of `/authz`, or the
//! context extensions of Envoy.
//!
//! The operator of the gateway writes them. A name that is not known, a value that is empty and a name
//! that is given twice are refused: a demand that is mistyped must not go unnoticed. Lists are separated
//! by spaces.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderName;
use keyfob::validation::DeviceBinding;
use keyfob::values::LimitName;
use keyfob::{Consistency, DeviceId, InvalidValue, Kind, Ttl, ValidationChain};

use super::parameters::DEMANDS;
use crate::chains::{Chains, NamedChain};

/// What is demanded of the token of a request.
#[derive(Debug)]
pub(crate) struct Demands {
    /// The demands on the token.
    pub(crate) chain: ValidationChain,
    /// The device that presents the token.
    pub(crate) device: Option<Device>,
    /// The limits to charge, each with its cost.
    pub(crate) limits: Vec<(LimitName, u32)>,
}

/// Where the device is named that presents the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Device {
    /// By the demands themselves.
    Id(DeviceId),
    /// By a header of the client's request.
    Header(HeaderName),
}

/// Why demands are refused. It repeats no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BadDemands {
    #[error("a demand is not known. The demands are: {}", names().join(", "))]
    Unknown,
    #[error("the demand {0} is given more than once: separate several values by spaces")]
    Repeated(&'static str),
    #[error("the demand {0} has no value: leave it out, or give it one")]
    Empty(&'static str),
    #[error("the demands are not UTF-8")]
    NotUtf8,
    #[error("the demand {name} is not valid: {reason}")]
    Invalid { name: &'static str, reason: String },
    #[error("there is no chain of this name in the settings of the server")]
    UnknownChain,
    #[error(
        "the demand {0} would widen the chain: put it into the chain, or leave out one of both"
    )]
    Widens(&'static str),
    #[error("the limit counts by address: set trusted_proxies, so that the gateway may name it")]
    NoAddress,
}

fn names() -> [&'static str; DEMANDS.len()] {
    std::array::from_fn(|place| DEMANDS[place].name)
}

/// The demands that accept any one of several values: more values accept more tokens.
const WIDENING: [&str; 4] = ["any_scope", "audience", "issuer", "kind"];

impl Demands {
    /// Reads the demands in a query.
    ///
    /// # Errors
    /// If a part of them is not valid.
    pub(crate) fn of_query(query: &str, chains: &Chains) -> Result<Self, BadDemands> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self::of_pairs(pairs, chains)
    }

    /// Reads the demands in pairs.
    ///
    /// # Errors
    /// If a part of them is not valid.
    pub(crate) fn of_pairs<'a>(
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        chains: &Chains,
    ) -> Result<Self, BadDemands> {
        let mut values = Values::default();
        for (name, value) in pairs {
            values.insert(&name, value.into_owned())?;
        }
        let NamedChain { demands, mut limits } = match values.take("chain") {
            Some(name) => {
                if let Some(name) = WIDENING.into_iter().find(|name| values.has(name)) {
                    return Err(BadDemands::Widens(name));
                }
                let named = chains.get(&name).ok_or(BadDemands::UnknownChain)?;
                NamedChain::clone(named)
            }
            None => kinds(&values)?.into(),
        };
        let (chain, device) = with_device(with_lists(demands, &values)?, &values)?;
        for item in values.list("limit") {
            let (name, cost) = charge(item)?;
            if limits.iter().any(|(charged, _)| *charged == name) {
                return Err(BadDemands::Repeated("limit"));
            }
            limits.push((name, cost));
        }
        // Whatever a chain allows: a refresh token authenticates no request.
        let chain = chain.refuse_kind(Kind::Refresh);
        chain.check().map_err(|invalid| is_invalid("chain", &invalid))?;
        Ok(Self { chain, device, limits })
    }
}

/// The values by name. Each name is known.
#[derive(Default)]
struct Values(BTreeMap<&'static str, String>);

impl Values {
    fn insert(&mut self, name: &str, value: String) -> Result<(), BadDemands> {
        // The decoder of queries puts this where the bytes are not UTF-8.
        if value.contains('\u{fffd}') {
            return Err(BadDemands::NotUtf8);
        }
        let known = names().into_iter().find(|known| *known == name);
        let name = known.ok_or(BadDemands::Unknown)?;
        if value.trim().is_empty() {
            return Err(BadDemands::Empty(name));
        }
        match self.0.insert(name, value) {
            Some(_) => Err(BadDemands::Repeated(name)),
            None => Ok(()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).into_iter().flat_map(|list| list.split(' ')).filter(|item| !item.is_empty())
    }
}

/// Returns a chain that accepts the kinds that are named, or all kinds that authenticate requests.
fn kinds(values: &Values) -> Result<ValidationChain, BadDemands> {
    let chain = ValidationChain::new();
    if !values.has("kind") {
        return Ok(chain);
    }
    values.list("kind").try_fold(chain, |chain, name| match name.parse() {
        Ok(Kind::Refresh) => Err(BadDemands::Invalid {
            name: "kind",
            reason: "a refresh token authenticates no request".to_owned(),
        }),
        Ok(kind) => Ok(chain.allow_kind(kind)),
        Err(invalid) => Err(is_invalid("kind", &invalid)),
    })
}

fn with_lists(mut chain: ValidationChain, values: &Values) -> Result<ValidationChain, BadDemands> {
    type Add = fn(ValidationChain, &str) -> ValidationChain;
    let lists: [(&'static str, Add); 5] = [
        ("scope", |chain, item| chain.require_scope(item)),
        ("any_scope", |chain, item| chain.require_any_scope(item)),
        ("audience", |chain, item| chain.allow_audience(item)),
        ("issuer", |chain, item| chain.allow_issuer(item)),
        ("claim", |chain, item| chain.require_claim(item)),
    ];
    for (name, add) in lists {
        chain = values.list(name).fold(chain, add);
        chain.check().map_err(|invalid| is_invalid(name, &invalid))?;
    }
    if let Some(text) = values.get("max_age") {
        let age: Ttl = text.parse().map_err(|invalid| is_invalid("max_age", &invalid))?;
        chain = chain.max_age(age);
    }
    match values.get("strong") {
        None | Some("false") => Ok(chain),
        Some("true") => Ok(chain.consistency(Consistency::Strong)),
        Some(_) => Err(BadDemands::Invalid {
            name: "strong",
            reason: "it has to be true or false".to_owned(),
        }),
    }
}

fn with_device(
    chain: ValidationChain,
    values: &Values,
) -> Result<(ValidationChain, Option<Device>), BadDemands> {
    let device = match (values.get("device"), values.get("device_header")) {
        (None, None) => return Ok((chain, None)),
        (Some(_), Some(_)) => return Err(BadDemands::Repeated("device")),
        (Some(id), None) => {
            Device::Id(id.parse().map_err(|invalid| is_invalid("device", &invalid))?)
        }
        (None, Some(name)) => Device::Header(name.parse().map_err(|_| BadDemands::Invalid {
            name: "device_header",
            reason: "it is no name of a header".to_owned(),
        })?),
    };
    let chain = match chain.device_binding() {
        DeviceBinding::Unchecked => chain.device(DeviceBinding::Required),
        _ => chain,
    };
    Ok((chain, Some(device)))
}

/// Reads the name of a limit, and its cost if there is one after a colon.
fn charge(item: &str) -> Result<(LimitName, u32), BadDemands> {
    let with_cost = item.rsplit_once(':').and_then(|(name, cost)| Some((name, cost.parse().ok()?)));
    let (name, cost) = with_cost.unwrap_or((item, 1));
    Ok((name.parse().map_err(|invalid| is_invalid("limit", &invalid))?, cost))
}

fn is_invalid(name: &'static str, invalid: &InvalidValue) -> BadDemands {
    BadDemands::Invalid { name, reason: invalid.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Demands, BadDemands> {
        let mut chains = Chains::default();
        let demands =
            ValidationChain::new().allow_audience("orders").device(DeviceBinding::IfBound);
        let limits = vec![("calls".parse().unwrap(), 2)];
        chains.insert("orders".parse().unwrap(), NamedChain { demands, limits });
        Demands::of_query(query, &chains)
    }

    #[test]
    fn lists_are_separated_by_spaces() {
        let demands = read("scope=read+write&audience=a%20b&limit=calls+bytes:20").unwrap();
        let scopes: Vec<_> = demands.chain.required_scopes().map(|scope| scope.as_str()).collect();
        assert_eq!(scopes, ["read", "write"]);
        let limits: Vec<_> =
            demands.limits.iter().map(|(name, cost)| (name.as_str(), *cost)).collect();
        assert_eq!(limits, [("calls", 1), ("bytes", 20)]);
        let header = Some(Device::Header("x-device".parse().unwrap()));
        assert_eq!(read("device_header=X-Device").unwrap().device, header);
    }

    #[test]
    fn a_demand_that_is_mistyped_is_refused() {
        assert_eq!(read("scopes=read").unwrap_err(), BadDemands::Unknown);
        assert_eq!(read("Scope=read").unwrap_err(), BadDemands::Unknown);
        assert_eq!(read("scope=").unwrap_err(), BadDemands::Empty("scope"));
        assert_eq!(read("scope=+").unwrap_err(), BadDemands::Empty("scope"));
        assert_eq!(read("scope=a&scope=b").unwrap_err(), BadDemands::Repeated("scope"));
        assert_eq!(read("scope=%ff").unwrap_err(), BadDemands::NotUtf8);
        assert_eq!(read("device=a&device_header=b").unwrap_err(), BadDemands::Repeated("device"));
        for query in ["scope=%22", "kind=other", "kind=refresh", "max_age=x", "strong=yes"] {
            let name = query.split('=').next().unwrap();
            let bad = read(query).unwrap_err();
            assert!(
                matches!(&bad, BadDemands::Invalid { name: named, .. } if *named == name),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_chain_is_narrowed_and_never_widened() {
        let demands =
            read("chain=orders&scope=read&strong=true&limit=bytes&device_header=x").unwrap();
        assert_eq!(demands.limits.len(), 2);
        assert_eq!(demands.chain.device_binding(), DeviceBinding::IfBound);
        assert_eq!(read("chain=orders&limit=calls").unwrap_err(), BadDemands::Repeated("limit"));
        assert_eq!(read("chain=other").unwrap_err(), BadDemands::UnknownChain);
        for name in WIDENING {
            let bad = read(&format!("chain=orders&{name}=access")).unwrap_err();
            assert_eq!(bad, BadDemands::Widens(name));
        }
    }
}
