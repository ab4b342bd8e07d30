//! The TLS files in a URL.

/// URL parameters that name TLS files.
const CERTIFICATES: [&str; 6] =
    ["sslrootcert", "sslcert", "sslkey", "ssl-ca", "ssl-cert", "ssl-key"];

/// The TLS files in the connection options, with their parameters.
pub(super) fn certificates(options: &impl sqlx::ConnectOptions) -> Vec<(String, String)> {
    let url = options.to_url_lossy();
    let pairs = url.query_pairs().into_owned();
    let named = pairs.filter(|(name, _)| CERTIFICATES.contains(&name.as_str()));
    // The driver's debug output shows whether it is a file.
    let file = |(name, value): (String, String)| Some((name, value.strip_prefix("file: ")?.into()));
    named.filter_map(file).collect()
}
