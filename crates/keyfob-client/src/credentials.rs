//! The key of a client: a value, or a file that is read again when it may have changed.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use http::HeaderValue;
use keyfob_api::SecretText;

/// How long the content of a file is used before the file is read again.
const MAX_AGE: Duration = Duration::from_secs(10);

/// The maximum length of a file in bytes.
const MAX_BYTES: u64 = 4096;

/// Where the key of a client comes from. `Debug` hides it.
pub(crate) enum Credentials {
    Value(HeaderValue),
    File(KeyFile),
}

/// A file with a key.
pub(crate) struct KeyFile {
    path: PathBuf,
    read: Mutex<Option<(HeaderValue, Instant)>>,
}

impl Credentials {
    /// Takes a key. `None` if it is no text for a header.
    pub(crate) fn value(bearer: &SecretText) -> Option<Self> {
        header(bearer.expose()).map(Self::Value)
    }

    pub(crate) fn file(path: PathBuf) -> Self {
        Self::File(KeyFile { path, read: Mutex::new(None) })
    }

    /// Returns the value of the header `Authorization`.
    pub(crate) async fn header(&self) -> io::Result<HeaderValue> {
        match self {
            Self::Value(header) => Ok(header.clone()),
            Self::File(file) => file.header().await,
        }
    }

    /// Reads the key again after the server has refused `refused`. Returns whether there is another
    /// one.
    pub(crate) async fn renew(&self, refused: &HeaderValue) -> bool {
        match self {
            Self::Value(_) => false,
            Self::File(file) => {
                file.forget();
                file.header().await.is_ok_and(|header| header != *refused)
            }
        }
    }
}

impl KeyFile {
    async fn header(&self) -> io::Result<HeaderValue> {
        if let Some((header, at)) = &*self.cached()
            && at.elapsed() < MAX_AGE
        {
            return Ok(header.clone());
        }
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || read(&path));
        let header = reading.await.map_err(io::Error::other)??;
        *self.cached() = Some((header.clone(), Instant::now()));
        Ok(header)
    }

    fn forget(&self) {
        *self.cached() = None;
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Option<(HeaderValue, Instant)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> io::Result<HeaderValue> {
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("the file {} cannot be read: {error}", path.display()))
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let secret = SecretText::new(text);
    header(secret.expose().trim()).ok_or_else(|| {
        let message = format!("the file {} does not contain a key", path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// Returns the value of the header. `Debug` of it hides the key.
fn header(bearer: &str) -> Option<HeaderValue> {
    let is_token = |byte: u8| byte.is_ascii_graphic();
    if bearer.is_empty() || !bearer.bytes().all(is_token) {
        return None;
    }
    let text = SecretText::new(format!("Bearer {bearer}"));
    let mut header = HeaderValue::from_str(text.expose()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::File(file) => f.debug_tuple("File").field(&file.path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hidden_and_is_one_word() {
        let credentials = Credentials::value(&SecretText::new("hunter2")).unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert!(!format!("{:?}", header("hunter2")).contains("hunter2"));
        for text in ["", "a b", "a\n", "ä"] {
            assert!(Credentials::value(&SecretText::new(text)).is_none(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_again_after_its_key_was_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "one\n").unwrap();
        let credentials = Credentials::file(path.clone());
        let first = credentials.header().await.unwrap();
        assert_eq!(first, "Bearer one");
        assert!(!credentials.renew(&first).await, "the file has the same key");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(credentials.header().await.unwrap(), "Bearer one");
        assert!(credentials.renew(&first).await);
        assert_eq!(credentials.header().await.unwrap(), "Bearer two");
        std::fs::write(&path, "").unwrap();
        credentials.renew(&first).await;
        let error = credentials.header().await.unwrap_err().to_string();
        assert!(error.contains("does not contain a key"), "{error}");
    }
}
