//! `karute facility`: what a hospital, pharmacy, laboratory, guardian or researcher does.

mod card;
mod delegate;
mod deposit;
mod fetch;
mod init;
mod list;
mod query;
mod receipts;
mod request;
mod status;
mod withdraw;

use clap::{Args, Subcommand};

pub(in crate::cli) use fetch::part_text;

use super::frame::Frame;
use crate::failure::Failure;

/// Deposit into patients' vaults and read from them under their grants
#[derive(Debug, Args)]
pub(super) struct FacilityArgs {
    #[command(subcommand)]
    command: FacilityCommand,
}

#[derive(Debug, Subcommand)]
enum FacilityCommand {
    Init(init::InitArgs),
    Card(card::CardArgs),
    Deposit(deposit::DepositArgs),
    Withdraw(withdraw::WithdrawArgs),
    Request(request::RequestArgs),
    List(list::ListArgs),
    Fetch(fetch::FetchArgs),
    Delegate(delegate::DelegateArgs),
    Receipts(receipts::ReceiptsArgs),
    Status(status::StatusArgs),
}

impl FacilityArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            FacilityCommand::Init(args) => args.run(frame),
            FacilityCommand::Card(args) => args.run(frame),
            FacilityCommand::Deposit(args) => args.run(frame),
            FacilityCommand::Withdraw(args) => args.run(frame),
            FacilityCommand::Request(args) => args.run(frame),
            FacilityCommand::List(args) => args.run(frame),
            FacilityCommand::Fetch(args) => args.run(frame),
            FacilityCommand::Delegate(args) => args.run(frame),
            FacilityCommand::Receipts(args) => args.run(frame),
            FacilityCommand::Status(args) => args.run(frame),
        }
    }
}
