//! What a case is, and how an answer is judged.

use kms_sandbox::Unconfirmed;

use crate::world::{Refused, World};

/// What a case's steps saw, in the words of its table: `accepted`, `ValidationException`, `same id,
/// another token`. A refusal that the steps did not look into is its code.
pub type Seen = Result<String, Refused>;

/// Asks a server, through the SDK.
pub type Steps = fn(&World) -> Seen;

/// One thing that AWS does, and how it shows.
#[derive(Clone, Copy)]
pub struct Case {
    /// Operation, parameter or situation, and what is special: `create-grant/name/too-long`.
    pub name: &'static str,
    /// What AWS answers, and how that is known.
    pub truth: Truth,
    /// The calls.
    pub steps: Steps,
    /// What an emulator answers instead, where it departs from AWS.
    departures: [Option<&'static str>; 2],
    /// Why no emulator is asked.
    pub sandbox_only: Option<&'static str>,
    /// Row of the lab's table of moto's departures (measured 2026-11-23).
    pub row: Option<u8>,
}

/// What AWS answers, and how that is known.
#[derive(Clone, Copy)]
pub enum Truth {
    /// AWS's own documentation or service model says so.
    Documented(&'static str, &'static str),
    /// Somebody asked AWS and published the answer.
    Recorded(&'static str, &'static str),
    /// UNCONFIRMED: no source tells. The sandbox is asked under every answer, by its switch.
    Unconfirmed(&'static str, &'static [Answer]),
}

/// One of the answers that AWS may give.
#[derive(Clone, Copy)]
pub struct Answer {
    /// The switch and its position; part of the trial's name.
    pub when: &'static str,
    /// Turns the switch.
    pub set: fn(&mut Unconfirmed),
    /// What AWS would say.
    pub says: &'static str,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The embedded KMS. It follows AWS: it may not depart.
    Sandbox,
    /// MiniStack, at the version that the testbed pins.
    MiniStack,
    /// moto, at the version that the testbed pins.
    Moto,
}

impl Server {
    /// As trials are named.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::MiniStack => "ministack",
            Self::Moto => "moto",
        }
    }
}

impl Answer {
    /// An answer and the switch that gives it.
    #[must_use]
    pub const fn new(when: &'static str, says: &'static str, set: fn(&mut Unconfirmed)) -> Self {
        Self { when, set, says }
    }
}

impl Case {
    const fn new(name: &'static str, truth: Truth, steps: Steps) -> Self {
        Self { name, truth, steps, departures: [None; 2], sandbox_only: None, row: None }
    }

    /// AWS `says` so in `source`.
    #[must_use]
    pub const fn documented(
        name: &'static str,
        source: &'static str,
        says: &'static str,
        steps: Steps,
    ) -> Self {
        Self::new(name, Truth::Documented(source, says), steps)
    }

    /// `source` has an answer of AWS's on record.
    #[must_use]
    pub const fn recorded(
        name: &'static str,
        source: &'static str,
        says: &'static str,
        steps: Steps,
    ) -> Self {
        Self::new(name, Truth::Recorded(source, says), steps)
    }

    /// No source tells which of `answers` AWS gives; `open` says why it is in question.
    #[must_use]
    pub const fn unconfirmed(
        name: &'static str,
        open: &'static str,
        answers: &'static [Answer],
        steps: Steps,
    ) -> Self {
        Self::new(name, Truth::Unconfirmed(open, answers), steps)
    }

    /// MiniStack departs: it answers this.
    #[must_use]
    pub const fn ministack(mut self, says: &'static str) -> Self {
        self.departures[0] = Some(says);
        self
    }

    /// moto departs: it answers this.
    #[must_use]
    pub const fn moto(mut self, says: &'static str) -> Self {
        self.departures[1] = Some(says);
        self
    }

    /// Both emulators depart in the same way.
    #[must_use]
    pub const fn emulators(self, says: &'static str) -> Self {
        self.ministack(says).moto(says)
    }

    /// Only the sandbox can be brought into this situation.
    #[must_use]
    pub const fn sandbox_only(mut self, why: &'static str) -> Self {
        self.sandbox_only = Some(why);
        self
    }

    /// The row of the lab's table A that this case is.
    #[must_use]
    pub const fn row(mut self, number: u8) -> Self {
        self.row = Some(number);
        self
    }

    /// The case with its row: `lab-a-09/create-grant/dry-run`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.row {
            Some(row) => format!("lab-a-{row:02}/{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// What this server answers instead of AWS's answer.
    #[must_use]
    pub fn departure(&self, server: Server) -> Option<&'static str> {
        match server {
            Server::Sandbox => None,
            Server::MiniStack => self.departures[0],
            Server::Moto => self.departures[1],
        }
    }

    /// Judges an answer. `answer` is the position of the switch under which the sandbox was asked.
    ///
    /// # Errors
    /// What was expected, whose word that is, and what was seen.
    pub fn judge(
        &self,
        server: Server,
        answer: Option<&Answer>,
        seen: &Seen,
    ) -> Result<(), String> {
        let seen = match seen {
            Ok(text) => text.clone(),
            Err(refused) => refused.to_string(),
        };
        let of_aws: Vec<&str> = match (self.truth, answer) {
            (Truth::Documented(_, says) | Truth::Recorded(_, says), _) => vec![says],
            (Truth::Unconfirmed(..), Some(answer)) => vec![answer.says],
            (Truth::Unconfirmed(_, answers), None) => answers.iter().map(|a| a.says).collect(),
        };
        let like_aws = of_aws.contains(&seen.as_str());
        let name = server.name();
        match self.departure(server) {
            None if like_aws => Ok(()),
            Some(departs) if departs == seen => Ok(()),
            Some(departs) if like_aws => Err(format!(
                "{name} answers as AWS now: {seen:?}\n  strike its departure, {departs:?}"
            )),
            Some(departs) => {
                Err(format!("{name} departs otherwise: {seen:?}\n  known was {departs:?}"))
            }
            None => Err(format!(
                "{name}: {seen:?}\n  AWS:  {}\n  ({})",
                of_aws.iter().map(|says| format!("{says:?}")).collect::<Vec<_>>().join(" or "),
                self.truth,
            )),
        }
    }
}

impl Truth {
    /// In one word, as trials show it.
    #[must_use]
    pub const fn mark(&self) -> &'static str {
        match self {
            Self::Documented(..) => "documented",
            Self::Recorded(..) => "recorded",
            Self::Unconfirmed(..) => "UNCONFIRMED",
        }
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Documented(source, _)
        | Self::Recorded(source, _)
        | Self::Unconfirmed(source, _)) = self;
        write!(f, "{}: {source}", self.mark())
    }
}

#[cfg(test)]
mod tests;
