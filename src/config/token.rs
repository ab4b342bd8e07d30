//! The token that clients of a server must have.

use super::layers::{Layers, Provenance, Reading};
use super::secret::{Secret, credential};
use super::serve::ServeSettings;
use crate::domain::failure::{Failure, FailureKind};

/// A token that can be guessed is none.
const SHORTEST_TOKEN: usize = 16;

/// Holds the token itself. Never a flag: everybody on the machine can read those.
const TOKEN_VARIABLE: &str = "SHOPWARM_TOKEN";

/// As a unit of systemd's names it with LoadCredential=.
const TOKEN_CREDENTIAL: &str = "token";

impl Reading<'_> {
    /// The token, from a file that is named, from the environment or from systemd.
    pub(super) fn token(
        &mut self,
        serve: &Layers<ServeSettings>,
    ) -> Result<Option<Secret>, Failure> {
        // Commands that serve nothing need none.
        if self.matches.try_contains_id("listen").is_err() {
            return Ok(None);
        }
        let Some((token, from)) = self.find_token(serve)? else {
            self.show("token", None, Provenance::Default);
            return Ok(None);
        };
        if token.expose().len() < SHORTEST_TOKEN {
            let why = format!("it is shorter than {SHORTEST_TOKEN} characters");
            return Err(
                Failure::new(FailureKind::Config, "the token can be guessed", why)
                    .hint("make one with: openssl rand -hex 32"),
            );
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
        Ok(Some((
            self.secret(path)?,
            Provenance::File(self.path.clone()),
        )))
    }
}
