//! Who may use the admin listener.
//!
//! On a loopback address there is no token by default, so the danger is other web pages in the
//! operator's browser: they can send requests there, and after DNS rebinding even read the
//! answers. The first is stopped by a header that a page cannot set across origins, the second by
//! looking at the host the browser believes to talk to.

use std::net::SocketAddr;

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{AUTHORIZATION, HOST},
    },
};

use crate::{error::StartError, source::Secret};

/// A header that browsers let a page send only to its own origin; its value does not matter.
pub(super) const CSRF_HEADER: &str = "x-ocean-admin";

/// What calls must bring.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    /// A bearer token.
    Token(Secret),
    /// A loopback name as host.
    Loopback,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("send the token of OCEAN__ADMIN__TOKEN as `Authorization: Bearer ..`")]
    Token,
    #[error("the host is not a loopback name; use localhost, or set OCEAN__ADMIN__TOKEN")]
    Host,
    #[error("send the header `{CSRF_HEADER}`, with any value")]
    Header,
}

impl Denied {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Token => 401,
            Self::Host | Self::Header => 403,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Token => "unauthenticated",
            Self::Host => "wrong_host",
            Self::Header => "missing_header",
        }
    }
}

impl Guard {
    pub(super) fn new(listen: SocketAddr, token: Option<&str>) -> Result<Self, StartError> {
        match token.map(str::trim).filter(|token| !token.is_empty()) {
            Some(token) => Ok(Self::Token(Secret::new(token))),
            None if listen.ip().is_loopback() => Ok(Self::Loopback),
            None => Err(StartError::new(format_args!(
                "the admin address {listen} is reachable from other machines; set OCEAN__ADMIN__TOKEN, or OCEAN__ADMIN__LISTEN to a loopback address or `off`"
            ))),
        }
    }

    /// Whether a call to the API may go on.
    pub(super) fn check(&self, request: &HttpRequest) -> Result<(), Denied> {
        let header = |name| request.headers().get(name)?.to_str().ok();
        match self {
            Self::Token(secret) => {
                let token = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
                if !token.is_some_and(|token| secret.matches(token)) {
                    return Err(Denied::Token);
                }
            }
            Self::Loopback => {
                if !header(HOST).is_some_and(is_loopback_host) {
                    return Err(Denied::Host);
                }
            }
        }
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if changes && !request.headers().contains_key(CSRF_HEADER) {
            return Err(Denied::Header);
        }
        Ok(())
    }
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback_hosts() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost:8001", true),
            ("127.0.0.1:8001", true),
            ("127.0.0.1", true),
            ("[::1]:8001", true),
            ("[::1]", true),
            ("localhost.evil.example:8001", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example", false),
            ("10.0.0.1:8001", false),
            ("", false),
        ] {
            assert_eq!(is_loopback_host(host), expected, "{host}");
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let open = "0.0.0.0:8001".parse().unwrap();
        for token in [None, Some(""), Some(" ")] {
            let error = Guard::new(open, token).unwrap_err();
            assert!(error.to_string().contains("OCEAN__ADMIN__TOKEN"), "{error}");
        }
        assert!(matches!(Guard::new(open, Some("t")), Ok(Guard::Token(_))));
        let loopback = "[::1]:8001".parse().unwrap();
        assert!(matches!(Guard::new(loopback, None), Ok(Guard::Loopback)));
    }
}
