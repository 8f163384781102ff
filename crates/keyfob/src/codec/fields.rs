//! How the fields of a record are encoded that have no encoding of their own.

use keyfob_core::bearer::ratchet::Ratchet;
use keyfob_core::bearer::{BearerDigest, Generation};
use keyfob_core::token::PrivateClaims;

type EncodeResult<W> = Result<(), minicbor::encode::Error<<W as minicbor::encode::Write>::Error>>;

pub(super) mod digest {
    use super::*;

    pub(crate) fn encode<C, W: minicbor::encode::Write>(
        digest: &BearerDigest,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        encoder.bytes(digest.as_bytes())?.ok()
    }

    pub(crate) fn decode<C>(
        decoder: &mut minicbor::Decoder<'_>,
        _: &mut C,
    ) -> Result<BearerDigest, minicbor::decode::Error> {
        let bytes = decoder.bytes()?.try_into();
        bytes
            .map(BearerDigest::from_bytes)
            .map_err(|_| minicbor::decode::Error::message("a digest has 32 bytes"))
    }
}

pub(super) mod generation {
    use super::*;

    pub(crate) fn encode<C, W: minicbor::encode::Write>(
        generation: &Generation,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        encoder.u32(generation.number())?.ok()
    }

    pub(crate) fn decode<C>(
        decoder: &mut minicbor::Decoder<'_>,
        _: &mut C,
    ) -> Result<Generation, minicbor::decode::Error> {
        Generation::new(decoder.u32()?)
            .ok_or_else(|| minicbor::decode::Error::message("no such generation"))
    }
}

pub(super) mod private_claims {
    use super::*;

    pub(crate) fn encode<C, W: minicbor::encode::Write>(
        claims: &PrivateClaims,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        encoder.str(claims.as_json())?.ok()
    }

    pub(crate) fn decode<C>(
        decoder: &mut minicbor::Decoder<'_>,
        _: &mut C,
    ) -> Result<PrivateClaims, minicbor::decode::Error> {
        PrivateClaims::from_stored_json(decoder.str()?).map_err(minicbor::decode::Error::custom)
    }
}

pub(super) mod ratchet {
    use super::*;

    pub(crate) fn encode<C, W: minicbor::encode::Write>(
        ratchet: &Option<Ratchet>,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        match ratchet {
            None => encoder.null()?.ok(),
            Some(ratchet) => {
                encoder.array(2)?.bytes(ratchet.seed())?.bytes(ratchet.root().as_bytes())?.ok()
            }
        }
    }

    pub(crate) fn decode<C>(
        decoder: &mut minicbor::Decoder<'_>,
        context: &mut C,
    ) -> Result<Option<Ratchet>, minicbor::decode::Error> {
        if decoder.datatype()? == minicbor::data::Type::Null {
            decoder.skip()?;
            return Ok(None);
        }
        if decoder.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("a ratchet has a seed and a root"));
        }
        let seed = decoder
            .bytes()?
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("a seed has 32 bytes"))?;
        Ok(Some(Ratchet::from_parts(seed, digest::decode(decoder, context)?)))
    }
}
