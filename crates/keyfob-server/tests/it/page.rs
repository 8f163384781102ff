//! The page that shows the OpenAPI document.

use crate::support::Service;

#[tokio::test]
async fn the_page_loads_nothing_but_what_the_server_has() {
    let service = Service::start().await;
    for (path, content_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
    ] {
        let reply = service.get(path, None).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], content_type);
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        let text = String::from_utf8_lossy(&reply.body);
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        // A text of the document never becomes HTML.
        assert!(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML"), "{path}");
    }
}

#[tokio::test]
async fn the_page_has_no_script_or_style_of_its_own_and_all_that_it_names_is_there() {
    let service = Service::start().await;
    let page = service.get("/docs", None).await;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
    for script in page.split("<script").skip(1) {
        assert!(script.contains("src=") && script.contains("></script>"), "{script}");
    }
    let mut count = 0;
    for attribute in ["src=\"", "href=\""] {
        for path in page.split(attribute).skip(1) {
            let path = path.split('"').next().unwrap();
            assert_eq!(service.get(path, None).await.status, 200, "{path}");
            count += 1;
        }
    }
    assert_eq!(count, 3);
}
