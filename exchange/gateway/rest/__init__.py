"""Operations over HTTP: the table they are entered in, the way of one request, the page that describes them."""
