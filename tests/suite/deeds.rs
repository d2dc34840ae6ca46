//! The deeds, one file each: what a patient, a facility or a host does, as it goes well and as it is made to go wrong.
//!
//! Agents and host are the real ones, in a [`karute_tests::world`]. Four things help to play the one who breaks the rules:
//! [`scene`] is how most deeds begin, [`middle`] lies between an agent and the host and cuts or changes what passes,
//! [`depositor`] deposits over raw frames, and [`thief`] opens what it can with a stolen private key.

mod audit;
mod bad_input;
mod delegate;
mod deposit;
mod deposit_cut;
mod deposit_refused;
mod depositor;
mod device;
mod erase;
mod fetch;
mod fetch_hosts;
mod fresh;
mod grant;
mod inbox;
mod middle;
mod purpose;
mod recover;
mod request;
mod revoke;
mod scene;
mod thief;
mod withdraw;
mod witness;
