//! Devices, as a person would recognise them: browser and platform, from the user agent.

use std::borrow::Cow;

use keyfob_core::Kind;
use keyfob_core::token::Device;
use woothee::parser::Parser;

/// Returns what a device is called, such as `Firefox on Windows`. If its user agent is not that of a
/// browser, that is its own text. `None`: nothing is known of the device.
///
/// The text may come from a token: show it by `widget::text`.
pub(crate) fn name(device: &Device) -> Option<Cow<'_, str>> {
    let agent = device.user_agent.as_ref().map(|agent| agent.as_str());
    let (browser, system) = agent.map_or((None, None), read);
    let given = device.platform.as_ref().map(|platform| Cow::Borrowed(platform.as_str()));
    let system = given.or(system.map(Cow::Borrowed));
    match (browser, system) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}").into()),
        (Some(browser), None) => Some(browser.to_owned().into()),
        (None, Some(system)) if agent.is_none() => Some(system),
        (None, _) => agent.map(Cow::Borrowed),
    }
}

/// Returns browser and platform of a user agent, where they are known.
fn read(agent: &str) -> (Option<&'static str>, Option<&'static str>) {
    let Some(read) = Parser::new().parse(agent) else { return (None, None) };
    let browser = BROWSERS.into_iter().find(|(known, _)| *known == read.name);
    let browser = browser.map(|(_, name)| name);
    (browser, platform(read.os))
}

/// The browsers that people have, as woothee and as people call them. Anything else has a better name in
/// its own text.
const BROWSERS: [(&str, &str); 12] = [
    ("Chrome", "Chrome"),
    ("Edge", "Edge"),
    ("Firefox", "Firefox"),
    ("Google Search App", "Google app"),
    ("Internet Explorer", "Internet Explorer"),
    ("Opera", "Opera"),
    ("Safari", "Safari"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Sleipnir", "Sleipnir"),
    ("Vivaldi", "Vivaldi"),
    ("Webview", "App"),
    ("Yandex Browser", "Yandex Browser"),
];

/// Returns the name that people use. Browsers no longer say which Windows they run on.
fn platform(name: &str) -> Option<&'static str> {
    match name {
        "iPhone" => Some("iPhone"),
        "iPad" => Some("iPad"),
        "iPod" => Some("iPod"),
        "iOS" => Some("iOS"),
        "Android" => Some("Android"),
        "Linux" => Some("Linux"),
        "ChromeOS" => Some("ChromeOS"),
        "BSD" => Some("BSD"),
        "Mac OSX" | "Mac OS Classic" => Some("macOS"),
        name if name.starts_with("Windows Phone") => Some("Windows Phone"),
        name if name.starts_with("Windows") => Some("Windows"),
        _ => None,
    }
}

/// Returns what tokens of a kind are called in a sentence.
pub(crate) const fn kind(kind: Kind, is_plural: bool) -> &'static str {
    match (kind, is_plural) {
        (Kind::Session, false) => "session",
        (Kind::Session, true) => "sessions",
        (Kind::Access, false) => "access token",
        (Kind::Access, true) => "access tokens",
        (Kind::Refresh, false) => "refresh token",
        (Kind::Refresh, true) => "refresh tokens",
        (Kind::ApiKey, false) => "API key",
        (Kind::ApiKey, true) => "API keys",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(agent: &str) -> String {
        let mut device = Device::default();
        device.user_agent = agent.parse().ok();
        name(&device).unwrap_or_default().into_owned()
    }

    #[test]
    fn common_browsers_have_the_names_that_people_use() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                 Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/138.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/138.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
        ] {
            assert_eq!(of(agent), name);
        }
    }

    #[test]
    fn an_agent_that_is_no_browser_is_shown_as_it_is() {
        for agent in ["curl/8.14.1", "shop-app/3.2 (build 7)", "<script>", "Java/17.0.1"] {
            assert_eq!(of(agent), agent);
        }
        assert_eq!(name(&Device::default()), None);
    }

    #[test]
    fn the_platform_that_an_application_gives_counts() {
        let mut device = Device::default();
        device.platform = "Windows 11".parse().ok();
        assert_eq!(name(&device).as_deref(), Some("Windows 11"));
        device.user_agent =
            "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0".parse().ok();
        assert_eq!(name(&device).as_deref(), Some("Firefox on Windows 11"));
    }
}
