//! Scripts, styles and pictures. Their addresses change with their content, so browsers may keep them.

use std::sync::LazyLock;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};

use super::headers;

/// A file of the console.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($name:literal: $content_type:expr,)+) => {
        &[$(Asset {
            name: $name,
            content_type: $content_type,
            text: include_str!(concat!("../assets/", $name)),
        }),+]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = assets! {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "console.js": SCRIPT,
    "bearer.js": SCRIPT,
    "filter.js": SCRIPT,
    "live.js": SCRIPT,
    "run.js": SCRIPT,
};

/// Identifies the content of all files, as far as an address has to.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut sum = crc32fast::Hasher::new();
    for asset in ASSETS {
        sum.update(asset.text.as_bytes());
    }
    format!("{:08x}", sum.finalize())
});

const FOLDER: &str = "/console/assets/";

/// Returns the address of a file. The version is a part of the path, so that modules find each other.
pub(crate) fn address(name: &str) -> String {
    debug_assert!(ASSETS.iter().any(|asset| asset.name == name), "{name} is no asset");
    format!("{FOLDER}{}/{name}", *VERSION)
}

/// Returns the file at a path. Another version than this one has no files.
pub(crate) fn at(path: &str) -> Option<&'static Asset> {
    let (version, name) = path.strip_prefix(FOLDER)?.split_once('/')?;
    ASSETS.iter().find(|asset| version == *VERSION && asset.name == name)
}

/// Answers with a file.
pub(crate) fn answer(asset: &Asset) -> Response<Body> {
    let mut response = Response::new(Body::from(asset.text));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers::add_missing(fields);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_together_are_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.text.len()).sum();
        assert!(bytes < 100 * 1024, "{bytes}");
    }

    #[test]
    fn a_file_is_at_its_address() {
        for asset in ASSETS {
            assert_eq!(at(&address(asset.name)).unwrap().name, asset.name);
        }
        assert!(at("/console/assets/00000000/console.css").is_none());
        assert!(at("/console/assets/console.css").is_none());
    }
}
