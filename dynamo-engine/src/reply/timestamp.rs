//! Dates as text, where the service writes them so.

/// A stream's label: the UTC time of its start to the millisecond, `2023-11-14T22:13:20.001`.
pub fn label(ms: u64) -> String {
    let (seconds, millis) = (ms / 1000, ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// The moment that a stream's label names; `None` where the text is no label. The inverse of [`label`].
pub fn parse_label(text: &str) -> Option<u64> {
    let field = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    };
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let seconds = (field(11, 13)? * 60 + field(14, 16)?) * 60 + field(17, 19)?;
    let ms = (days(year, month, day)? * 86_400 + seconds) * 1000 + field(20, 23)?;
    // What is out of range, or stands where a separator belongs, comes out otherwise.
    (label(ms) == text).then_some(ms)
}

/// The number of days from 1970-01-01 to a date; `None` before it.
///
/// Source: as [`civil`], `days_from_civil`.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * DAYS_OF_ERA + day_of_era).checked_sub(DAYS_TO_EPOCH)
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: u64 = 719_468;
/// Of 400 years.
const DAYS_OF_ERA: u64 = 146_097;

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `civil_from_days`: years begin in March, so
/// that the leap day is the last day of a year, and eras of 400 years all have the same length.
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{label, parse_label};

    #[test]
    fn labels() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000"),
            (951_782_400_000, "2000-02-29T00:00:00.000"),
            (951_868_799_999, "2000-02-29T23:59:59.999"),
            (1_700_000_000_001, "2023-11-14T22:13:20.001"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000"),
        ] {
            assert_eq!(label(ms), text);
            assert_eq!(parse_label(text), Some(ms));
        }
        // Some prime number of milliseconds, so that every field takes all of its values.
        for ms in (0..4_200_000_000_000).step_by(9_999_999_967) {
            assert_eq!(parse_label(&label(ms)), Some(ms));
        }
        for text in [
            "",
            "latest",
            "1969-12-31T23:59:59.999",
            "2026-02-29T00:00:00.000",
            "2026-13-01T00:00:00.000",
            "2026-00-01T00:00:00.000",
            "2026-01-00T00:00:00.000",
            "2026-01-01T24:00:00.000",
            "2026-01-01 00:00:00.000",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T00:00:00.00",
            "+026-01-01T00:00:00.000",
            "0000-01-01T00:00:00.000",
        ] {
            assert_eq!(parse_label(text), None, "{text}");
        }
    }
}
