//! Values that the server cut short. It says so in a warning only, which nobody hears who does not
//! ask, and hands on what is left.

use sqlx::Executor as _;
use sqlx::mysql::MySqlConnection;

use super::super::driver::Answer;
use super::ask::cell;
use crate::domain::failure::{Failure, FailureKind};

/// GROUP_CONCAT or JSON_ARRAYAGG was cut; another function gave NULL for what is too long.
const TOO_LONG: [u16; 2] = [1260, 1301];

/// A recursive query ended at `max_recursive_iterations`.
const TOO_DEEP: u16 = 1931;

/// Asks whether what was read just now is whole.
///
/// # Errors
/// The database's; inside, that it is not.
pub(super) async fn check(
    session: &mut MySqlConnection,
    label: &str,
) -> Answer<Result<(), Failure>> {
    for row in session.fetch_all("SHOW WARNINGS").await? {
        let hint = match cell(&row, 1)?.parse() {
            Ok(code) if TOO_LONG.contains(&code) => {
                "raise max_allowed_packet at the server, or make the value shorter in the SQL"
            }
            Ok(TOO_DEEP) => "raise max_recursive_iterations at the server, or bound the recursion",
            _ => continue,
        };
        let what = format!("{label}: the database cut the result short");
        let why = super::super::errors::tidy(&cell(&row, 2)?);
        return Ok(Err(Failure::new(FailureKind::Query, what, why).hint(hint)));
    }
    Ok(Ok(()))
}
