//! Channels, the contact points behind them, and the outreach modes that use them.

use super::coded::coded_enum;

coded_enum! {
    /// A way to talk to a lead.
    pub enum Channel {
        Email = 1, "EMAIL";
        Sms = 2, "SMS";
        Voice = 3, "VOICE";
    }
}

coded_enum! {
    /// Whether a channel can be used.
    pub enum ChannelState {
        Absent = 1, "ABSENT";
        Open = 2, "OPEN";
        UsedUp = 3, "USED_UP";
        Bad = 4, "BAD";
    }
}

coded_enum! {
    /// An address of a lead; the phone serves two channels.
    pub enum ContactPoint {
        Email = 1, "EMAIL";
        Phone = 2, "PHONE";
    }
}

coded_enum! {
    /// Which channels an agent uses.
    pub enum OutreachMode {
        SmsOnly = 1, "SMS_ONLY";
        EmailOnly = 2, "EMAIL_ONLY";
        VoiceOnly = 3, "VOICE_ONLY";
        Blended = 4, "BLENDED";
    }
}

coded_enum! {
    /// How a contact attempt failed.
    pub enum AttemptFailure {
        AttemptFailed = 1, "ATTEMPT_FAILED";
        InvalidAddress = 2, "INVALID_ADDRESS";
        RejectedByCarrier = 3, "REJECTED_BY_CARRIER";
    }
}

coded_enum! {
    /// How it became known that a contact left the company.
    pub enum Evidence {
        AutoReply = 1, "AUTO_REPLY";
        OutOfOffice = 2, "OUT_OF_OFFICE";
        ToldUs = 3, "TOLD_US";
    }
}

impl Channel {
    /// The contact point behind the channel.
    #[must_use]
    pub const fn contact_point(self) -> ContactPoint {
        match self {
            Self::Email => ContactPoint::Email,
            Self::Sms | Self::Voice => ContactPoint::Phone,
        }
    }
}

impl ContactPoint {
    /// The channels that the contact point serves.
    #[must_use]
    pub const fn channels(self) -> &'static [Channel] {
        match self {
            Self::Email => &[Channel::Email],
            Self::Phone => &[Channel::Sms, Channel::Voice],
        }
    }
}

impl OutreachMode {
    /// The channels of the mode.
    #[must_use]
    pub const fn channels(self) -> &'static [Channel] {
        match self {
            Self::SmsOnly => &[Channel::Sms],
            Self::EmailOnly => &[Channel::Email],
            Self::VoiceOnly => &[Channel::Voice],
            Self::Blended => &[Channel::Email, Channel::Sms, Channel::Voice],
        }
    }

    /// Whether a channel of the mode goes through the contact point.
    #[must_use]
    pub fn uses(self, point: ContactPoint) -> bool {
        self.channels().iter().any(|channel| channel.contact_point() == point)
    }
}

/// The state of each channel of a lead. Both channels of a phone the lead has are there or absent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    pub email: ChannelState,
    pub sms: ChannelState,
    pub voice: ChannelState,
}

impl Channels {
    /// The channels of a new lead: those of its contact points are open, the others absent.
    #[must_use]
    pub fn of(contact_points: &[ContactPoint]) -> Self {
        let mut channels = Self { email: ChannelState::Absent, sms: ChannelState::Absent, voice: ChannelState::Absent };
        for point in contact_points {
            channels.set_all(*point, ChannelState::Open);
        }
        channels
    }

    /// The state of one channel.
    #[must_use]
    pub const fn get(&self, channel: Channel) -> ChannelState {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
            Channel::Voice => self.voice,
        }
    }

    /// Sets one channel.
    pub const fn set(&mut self, channel: Channel, state: ChannelState) {
        match channel {
            Channel::Email => self.email = state,
            Channel::Sms => self.sms = state,
            Channel::Voice => self.voice = state,
        }
    }

    /// Sets every channel of a contact point.
    pub fn set_all(&mut self, point: ContactPoint, state: ChannelState) {
        for channel in point.channels() {
            self.set(*channel, state);
        }
    }

    /// Marks one channel `USED_UP` if it is open: a channel that is bad or absent stays so.
    pub fn use_up(&mut self, channel: Channel) {
        if self.get(channel) == ChannelState::Open {
            self.set(channel, ChannelState::UsedUp);
        }
    }

    /// Opens every channel that is used up.
    pub fn reopen_used_up(&mut self) {
        for channel in Channel::ALL {
            if self.get(*channel) == ChannelState::UsedUp {
                self.set(*channel, ChannelState::Open);
            }
        }
    }

    /// Whether the lead has the contact point.
    #[must_use]
    pub fn has(&self, point: ContactPoint) -> bool {
        self.get(point.channels()[0]) != ChannelState::Absent
    }

    /// Whether the lead has the contact point and it doesn't work.
    #[must_use]
    pub fn is_bad(&self, point: ContactPoint) -> bool {
        self.get(point.channels()[0]) == ChannelState::Bad
    }

    /// Whether the mode has a channel that can be used.
    #[must_use]
    pub fn any_open(&self, mode: OutreachMode) -> bool {
        mode.channels().iter().any(|channel| self.get(*channel) == ChannelState::Open)
    }

    /// Whether the contact point counts as tried when all that the mode could do was done: those that the mode uses
    /// and the lead has; if there are none, all that the lead has.
    #[must_use]
    pub fn tried_in(&self, mode: OutreachMode, point: ContactPoint) -> bool {
        let usable = |point: ContactPoint| self.has(point) && mode.uses(point);
        usable(point) || (self.has(point) && !ContactPoint::ALL.iter().any(|other| usable(*other)))
    }
}

/// Failed contact attempts in a row, per contact point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContactFailures {
    pub email: i32,
    pub phone: i32,
}

impl ContactFailures {
    /// The count of one contact point.
    pub const fn get_mut(&mut self, point: ContactPoint) -> &mut i32 {
        match point {
            ContactPoint::Email => &mut self.email,
            ContactPoint::Phone => &mut self.phone,
        }
    }
}
