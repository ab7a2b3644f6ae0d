//! `/`: a page that draws domains, segments, hosts and moves for people who would rather look than read. It has no parts
//! from elsewhere, and may load none: see [`POLICY`].

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};

use super::reply::{Reply, body_of};

/// The page's own files and answers, and nothing else; no text becomes a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A part of the page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Page,
    Script,
    Style,
    Icon,
}

/// Responds with a part of the page.
pub(super) fn part(part: Part) -> Reply {
    let (content_type, text) = match part {
        Part::Page => ("text/html; charset=utf-8", include_str!("page/page.html")),
        Part::Script => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
        Part::Style => ("text/css; charset=utf-8", include_str!("page/page.css")),
        Part::Icon => ("image/svg+xml", include_str!("page/icon.svg")),
    };
    let mut reply = body_of(StatusCode::OK, content_type, Bytes::from_static(text.as_bytes()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    reply
}

#[cfg(test)]
mod tests {
    /// A browser would refuse them, and show a page that does nothing.
    #[test]
    fn no_part_needs_what_the_policy_forbids() {
        let [page, script, style] =
            [include_str!("page/page.html"), include_str!("page/page.js"), include_str!("page/page.css")];
        for forbidden in ["<style", " style=", " onclick", "http:", "https:", "//cdn"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https:"]
        {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
        for forbidden in ["@import", "url(", "https:"] {
            assert!(!style.contains(forbidden), "{forbidden}");
        }
        for needed in ["page.js", "page.css", "icon.svg"] {
            assert!(page.contains(&format!("\"{needed}\"")), "{needed}");
        }
    }
}
