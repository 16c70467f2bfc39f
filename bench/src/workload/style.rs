//! How items and requests look.

use clap::ValueEnum;

use crate::client::Sender;

/// What items are made of, and who asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Items of three attributes, and only those headers that every SDK sends
    #[default]
    Plain,
    /// Items of twelve attributes of all types, and the headers of three SDKs in turn, one for each connection
    Sdk,
}

impl Style {
    /// Who sends the requests of a load's connection with this number.
    pub fn sender(self, connection: u64) -> Sender {
        match self {
            Style::Plain => Sender::Plain,
            Style::Sdk => Sender::SDKS[connection as usize % Sender::SDKS.len()],
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Style::Plain => "plain",
            Style::Sdk => "sdk",
        }
    }

    /// What it is, for the head of a report.
    pub fn describe(self) -> &'static str {
        match self {
            Style::Plain => "three attributes, the headers that every SDK sends",
            Style::Sdk => "twelve attributes of all types, the headers of boto3, JavaScript v3 and Rust in turn",
        }
    }
}
