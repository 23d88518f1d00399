# An image that holds the program and nothing else:
#
#   cargo xtask dist
#   docker build -t siamese --build-arg TARGET=x86_64-unknown-linux-musl .
#   docker run -v "$PWD:/work" -w /work siamese verify runs/birds-1 one.jpg other.jpg
#   docker run -v "$PWD:/work" -w /work -p 8765:8765 siamese serve runs/birds-1 --host 0.0.0.0 --token SECRET
FROM scratch
ARG VERSION=0.1.0
ARG TARGET=x86_64-unknown-linux-musl
COPY target/dist/siamese-${VERSION}-${TARGET}/siamese /siamese
ENTRYPOINT ["/siamese"]
