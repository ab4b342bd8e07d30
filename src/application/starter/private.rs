//! What does not belong in a cache.

use super::names::words;

/// Words that mark a secret wherever they stand in a column's name.
const SECRET_WORDS: &str = "apikey credential credentials cvc cvv hash hashed iban otp passcode passphrase \
    passwd password passwords pem pin pwd salt secret secrets sk ssn token tokens totp";

/// Pairs of words that do.
const SECRET_PAIRS: &str = "access_key activation_key api_key auth_key backup_codes card_number \
    encryption_key oauth_refresh pass_phrase private_key recovery_codes reset_code reset_key \
    security_answer security_code session_id";

/// Tables in which frameworks keep sessions, queues and their own version.
const HOUSEKEEPING: &str = "alembic_version api_session ar_internal_metadata cache cache_locks \
    databasechangelog databasechangeloglock django_admin_log django_migrations django_session \
    doctrine_migration_versions failed_jobs flyway_schema_history job_batches jobs knex_migrations \
    knex_migrations_lock messenger_messages migration_versions migrations password_reset_tokens \
    password_resets personal_access_tokens prisma_migrations schema_migrations sequelize_meta session \
    sessions typeorm_metadata";

/// Whether a column's name says that it holds a password, a key or the like.
pub(super) fn is_secret(column: &str) -> bool {
    let words = words(column);
    let is_listed = |word: &String| is_in(SECRET_WORDS, word);
    let is_pair = |pair: &[String]| is_in(SECRET_PAIRS, &pair.join("_"));
    words.iter().any(is_listed)
        || words.windows(2).any(is_pair)
        || words.last().is_some_and(|word| word == "pass")
}

/// Whether a table is a framework's own, by its words.
pub(super) fn is_housekeeping(words: &[String]) -> bool {
    is_in(HOUSEKEEPING, &words.join("_"))
}

fn is_in(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "password",
            "passwordHash",
            "user_pass",
            "PWD",
            "reset_token",
            "apiKey",
            "api_key",
            "user_activation_key",
            "salt",
            "card_number",
            "session_id",
            "stripe_sk",
            "iban",
            "pass_phrase",
            "security_answer",
            "oauth_refresh",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["key", "name", "code", "passport", "hashtag", "passes_left", "card_type", "tokenised"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn frameworks_keep_tables_of_their_own() {
        for name in ["migrations", "_prisma_migrations", "SequelizeMeta", "sessions"] {
            assert!(is_housekeeping(&words(name)), "{name}");
        }
        assert!(!is_housekeeping(&words("session_products")));
    }
}
