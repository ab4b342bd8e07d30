//! The files that a URL names for TLS.

/// The parameters of a URL that name files for TLS.
const CERTIFICATES: [&str; 6] = [
    "sslrootcert",
    "sslcert",
    "sslkey",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
];

/// The files that a connection's options name for TLS, each with its parameter's name.
pub(super) fn certificates(options: &impl sqlx::ConnectOptions) -> Vec<(String, String)> {
    let url = options.to_url_lossy();
    let pairs = url.query_pairs().into_owned();
    let named = pairs.filter(|(name, _)| CERTIFICATES.contains(&name.as_str()));
    // The driver writes down that it is a file, or the certificate itself.
    let file = |(name, value): (String, String)| Some((name, value.strip_prefix("file: ")?.into()));
    named.filter_map(file).collect()
}
