//! Webhooks and their dead letters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http::Request;
use keyfob::{Grant, Kind, Ttl};
use keyfob_api::webhook::CreateWebhookBody;
use keyfob_server::Settings;
use keyfob_webhook::address::AddressPolicy;
use keyfob_webhook::retry::RetryPolicy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Browser, Reply, Site};

/// A receiver that answers every request with the status of the moment.
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(status));
        let now = Arc::clone(&status);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let status = now.load(Ordering::SeqCst);
                let mut head = [0; 16 * 1024];
                let _ = stream.read(&mut head).await;
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close");
                let _ = stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await;
                // What is still unread would break the connection before the answer is there.
                while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
            }
        });
        Self { url, status }
    }
}

/// Returns a site that gives a delivery up after the first attempt, and may send to this machine.
fn site() -> Site {
    let mut settings = Settings::new();
    settings.webhooks.addresses = AddressPolicy::allowing(["127.0.0.0/8".parse().unwrap()]);
    let wait = Ttl::from_millis(20).unwrap();
    settings.webhooks.retry = RetryPolicy { first: wait, max: wait, max_attempts: 1 };
    settings.webhooks.lease = Duration::from_millis(900);
    settings.webhooks.timeout = Duration::from_millis(900);
    Site::with(settings)
}

/// Adds a webhook, and returns the address of its page.
async fn add(site: &Site, url: &str, description: &str) -> String {
    let key = site.key("hooks", "keyfob:admin").await;
    let (url, types) = (url.to_owned(), vec!["keyfob.token.".to_owned()]);
    let description = description.to_owned();
    let filter = "kind:session,api-key".to_owned();
    let wanted =
        CreateWebhookBody { url, types, filter, description, ..CreateWebhookBody::default() };
    let created = site.api(&key).create_webhook(&wanted).await.unwrap();
    format!("/console/webhooks/{}", created.webhook.id)
}

/// Waits until a page shows a text.
async fn wait_for(browser: &mut Browser<'_>, path: &str, text: &str) -> Reply {
    for _ in 0..500 {
        let page = browser.get(path).await;
        if page.text.contains(text) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no {text} in {}", browser.get(path).await.text);
}

/// Returns the addresses of forms that end so.
fn forms(page: &Reply, end: &str) -> Vec<String> {
    let actions = page.text.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    actions.filter(|action| action.ends_with(end)).map(str::to_owned).collect()
}

#[tokio::test]
async fn without_webhooks_the_page_says_how_to_begin() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:admin").await;
    let page = browser.get("/console/webhooks").await;
    page.shows(&[
        "There are no webhooks yet",
        "keyfob webhook add https://shop.example/hooks --type keyfob.token.revoked",
        "$KEYFOB_SERVER/v1/webhooks",
        r#"href="/console/webhooks" data-go="w""#,
    ]);
    page.hides(&["<table"]);
}

#[tokio::test]
async fn a_webhook_is_tested_disabled_and_enabled() {
    let site = site();
    let receiver = Receiver::start(204).await;
    let path = add(&site, &receiver.url, "the shop").await;
    let mut browser = site.signed_in("keyfob:admin").await;
    let list = browser.get("/console/webhooks").await;
    list.shows(&[
        &path,
        "the shop",
        "enabled",
        "keyfob.token.",
        "kind:api-key,session",
        "none yet",
    ]);
    let page = browser.get(&path).await;
    page.shows(&[
        "one signs",
        "kind:api-key,session",
        "Disable",
        "No delivery was given up",
        "keyfob webhook test wh-",
    ]);
    let tested = browser.post(&format!("{path}/test"), &[]).await;
    tested.shows(&["The test event was delivered: the receiver answered 204."]);
    receiver.status.store(500, Ordering::SeqCst);
    let tested = browser.post(&format!("{path}/test"), &[]).await;
    tested.shows(&["The test event was not delivered", "500"]);
    let reply = browser.post(&format!("{path}/disable"), &[]).await;
    assert_eq!(reply.header("location"), format!("{path}?done=disabled"));
    let page = browser.get(reply.header("location")).await;
    page.shows(&["Disabled. The position stays.", "Enable", "keyfob webhook enable wh-"]);
    let reply = browser.post(&format!("{path}/enable"), &[]).await;
    browser.get(reply.header("location")).await.shows(&["Enabled.", "Disable"]);
}

#[tokio::test]
async fn dead_letters_are_shown_sent_again_and_dropped() {
    let site = site();
    let receiver = Receiver::start(500).await;
    // Signing in issues tokens: these events are not to be delivered.
    let mut browser = site.signed_in("keyfob:admin").await;
    let path = add(&site, &receiver.url, "").await;
    site.deliver_webhooks();
    let first = site.issue(Grant::new(Kind::Session).subject("alice")).await.token.id;
    let second = site.issue(Grant::new(Kind::Session).subject("bob")).await.token.id;
    wait_for(&mut browser, &path, &format!("/console/tokens/{first}")).await;
    let page = wait_for(&mut browser, &path, &format!("/console/tokens/{second}")).await;
    page.shows(&["keyfob.token.issued", "&quot;token_subject&quot;: &quot;alice&quot;", "500"]);
    wait_for(&mut browser, "/console/webhooks", "failing").await;
    let send = forms(&page, "/send");
    let [one, other] = send.as_slice() else { panic!("{send:?}") };
    let sent = browser.post(one, &[]).await;
    sent.shows(&["The dead letter was not delivered", "500", one]);
    receiver.status.store(200, Ordering::SeqCst);
    let reply = browser.post(one, &[]).await;
    assert_eq!(reply.header("location"), format!("{path}?done=sent"));
    let page = browser.get(reply.header("location")).await;
    page.shows(&["The receiver has it now", other]);
    page.hides(&[one]);
    assert_eq!(browser.post(one, &[]).await.status, 404);
    let drop = other.replace("/send", "/drop");
    let reply = browser.post(&drop, &[]).await;
    browser.get(reply.header("location")).await.shows(&["is dropped", "No delivery was given up"]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_pointed_out() {
    let site = site();
    let receiver = Receiver::start(410).await;
    let path = add(&site, &receiver.url, "").await;
    let mut browser = site.signed_in("keyfob:admin").await;
    site.deliver_webhooks();
    site.issue(Grant::new(Kind::Session).subject("alice")).await;
    let page = wait_for(&mut browser, &path, "The service has disabled it").await;
    page.shows(&["stopped", "410", "Enable"]);
    browser.get("/console/webhooks").await.shows(&["stopped", "410"]);
}

#[tokio::test]
async fn nothing_is_changed_from_another_site_or_without_the_scope() {
    let site = site();
    let receiver = Receiver::start(204).await;
    let path = add(&site, &receiver.url, "").await;
    let mut admin = site.signed_in("keyfob:admin").await;
    let mut reader = site.signed_in("keyfob:read keyfob:events").await;
    reader.get("/console").await.hides(&["/console/webhooks"]);
    assert_eq!(reader.get("/console/webhooks").await.status, 403);
    assert_eq!(reader.get(&path).await.status, 403);
    for change in ["test", "disable", "enable", "dead-letters/x/send", "dead-letters/x/drop"] {
        let change = format!("{path}/{change}");
        let foreign = Request::post(&change).header("sec-fetch-site", "cross-site");
        assert_eq!(admin.send_form(foreign, &[]).await.status, 403, "{change}");
        assert_eq!(reader.post(&change, &[]).await.status, 403, "{change}");
        assert_eq!(admin.get(&change).await.status, 405, "{change}");
    }
    admin.get(&path).await.shows(&["enabled"]);
    assert_eq!(admin.get("/console/webhooks/wh-%3Cscript%3E").await.status, 404);
}

#[tokio::test]
async fn hostile_values_are_only_text() {
    let site = site();
    let hostile = "<script>alert(1)</script>\u{202e}\"'&";
    let receiver = Receiver::start(500).await;
    let path = add(&site, &receiver.url, hostile).await;
    let mut browser = site.signed_in("keyfob:admin").await;
    site.deliver_webhooks();
    site.issue(Grant::new(Kind::Session).subject(hostile)).await;
    let page = wait_for(&mut browser, &path, "Send again").await;
    for page in [page, browser.get("/console/webhooks").await] {
        page.shows(&["&lt;script&gt;", r"\u{202e}"]);
        page.hides(&["<script>alert", "\u{202e}"]);
    }
}
