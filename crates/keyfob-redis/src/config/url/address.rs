//! Reads the addresses of servers.

use std::net::Ipv6Addr;

use keyfob_store::StoreError;

use super::text::{decoded, wrong};
use crate::config::Address;

/// Reads addresses that are separated by commas.
pub(super) fn addresses(hosts: &str, port: u16) -> Result<Vec<Address>, StoreError> {
    hosts.split(',').map(|host| address(host, port)).collect()
}

fn address(text: &str, default_port: u16) -> Result<Address, StoreError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or_else(|| wrong("an IPv6 address is not closed by ]"))?;
            let port = match after.strip_prefix(':') {
                None if !after.is_empty() => {
                    return Err(wrong(
                        "only a colon and a port may follow the ] of an IPv6 address, as in [::1]:6379",
                    ));
                }
                port => port,
            };
            (ipv6_address(host)?, port)
        }
        None if text.matches(':').count() > 1 => {
            return Err(wrong("an IPv6 address is written in brackets, as in [::1]:6379"));
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            (host_name(host)?, port)
        }
    };
    Ok(Address::new(host, port.map_or(Ok(default_port), read_port)?))
}

/// Reads an IPv6 address, possibly with a zone, as in `fe80::1%25eth0`.
fn ipv6_address(text: &str) -> Result<String, StoreError> {
    let text = decoded(text)?;
    let ip = text.split_once('%').map_or(text.as_str(), |(ip, _)| ip);
    match ip.parse::<Ipv6Addr>() {
        Ok(_) => Ok(text),
        Err(_) => Err(wrong("what is written in brackets is not an IPv6 address")),
    }
}

fn host_name(text: &str) -> Result<String, StoreError> {
    let belongs = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    match text.chars().find(|c| !belongs(*c)) {
        _ if text.is_empty() => Err(wrong("a host is missing")),
        Some(found) => Err(wrong(&format!("a host name cannot have the character {found:?}"))),
        None => Ok(text.to_owned()),
    }
}

fn read_port(text: &str) -> Result<u16, StoreError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port != 0);
    port.ok_or_else(|| wrong("a port is not 1 to 65535"))
}

/// Reads the path of a unix socket.
pub(super) fn unix_socket(host: &str, path: &str) -> Result<Address, StoreError> {
    if !host.is_empty() {
        return Err(wrong(
            "a unix socket has no host: write its absolute path, as in redis+unix:///run/redis.sock",
        ));
    }
    let path = decoded(path)?;
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(wrong(
            "the path of a unix socket is missing, as in redis+unix:///run/redis.sock",
        ));
    }
    Ok(Address::unix(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_to_its_end() {
        let address = |text: &str| super::address(text, 6379).unwrap().to_string();
        assert_eq!(address("[::1]"), "[::1]:6379");
        assert_eq!(address("[::1]:6399"), "[::1]:6399");
        assert_eq!(address("[fe80::1%25eth0]:1"), "[fe80::1%eth0]:1");
        assert_eq!(address("my_redis.svc-1.local:65535"), "my_redis.svc-1.local:65535");
        for (text, says) in [
            ("[::1]6399", "only a colon and a port"),
            ("[::1]x:y", "only a colon and a port"),
            ("[::1", "not closed by ]"),
            ("[host]", "not an IPv6 address"),
            ("::1", "in brackets"),
            ("fe80::1:6379", "in brackets"),
            ("h:0", "not 1 to 65535"),
            ("h:", "not 1 to 65535"),
            ("h:+6379", "not 1 to 65535"),
            ("[::1]:0", "not 1 to 65535"),
            ("h h", "the character ' '"),
            ("h#1", "the character '#'"),
            ("a,[::1]1", "only a colon and a port"),
            ("a,,b", "a host is missing"),
            ("s1,:1", "a host is missing"),
        ] {
            let error = addresses(text, 6379).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
