//! The token that clients of `serve` must send.

use super::layers::{Layers, Provenance, Reading};
use super::secret::{Secret, credential};
use super::serve::ServeSettings;
use crate::domain::failure::{Failure, FailureKind};

/// Shorter tokens can be guessed.
const MIN_TOKEN: usize = 16;

/// Holds the token itself. It is not a flag because all users can read the process list.
const TOKEN_VARIABLE: &str = "SHOPWARM_TOKEN";

/// The systemd credential.
const TOKEN_CREDENTIAL: &str = "token";

impl Reading<'_> {
    /// The token from a file, the environment or systemd.
    pub(super) fn token(
        &mut self,
        serve: &Layers<ServeSettings>,
    ) -> Result<Option<Secret>, Failure> {
        // Other commands need no token.
        if self.matches.try_contains_id("listen").is_err() {
            return Ok(None);
        }
        let Some((token, from)) = self.find_token(serve)? else {
            self.show("token", None, Provenance::Default);
            return Ok(None);
        };
        if token.expose().len() < MIN_TOKEN {
            let why = format!("it is shorter than {MIN_TOKEN} characters");
            return Err(Failure::new(FailureKind::Config, "the token is too easy to guess", why)
                .hint("make one with: openssl rand -hex 32"));
        }
        self.show("token", Some("(set)".to_owned()), from);
        Ok(Some(token))
    }

    fn find_token(
        &mut self,
        serve: &Layers<ServeSettings>,
    ) -> Result<Option<(Secret, Provenance)>, Failure> {
        if let Some(path) = &serve.flags.token_file {
            return Ok(Some((self.secret(path)?, Provenance::Flag)));
        }
        if let Some(path) = &serve.environment.token_file {
            return Ok(Some((self.secret(path)?, self.environment("token_file"))));
        }
        let variable = std::env::var(TOKEN_VARIABLE).ok();
        if let Some(token) = variable.filter(|token| !token.is_empty()) {
            let from = Provenance::Environment(TOKEN_VARIABLE.to_owned());
            return Ok(Some((Secret::new(token.trim().to_owned()), from)));
        }
        if let Some(token) = credential(TOKEN_CREDENTIAL)? {
            return Ok(Some((token, Provenance::Credential(TOKEN_CREDENTIAL))));
        }
        let Some(path) = &serve.file.token_file else {
            return Ok(None);
        };
        Ok(Some((self.secret(path)?, Provenance::File(self.path.clone()))))
    }
}
