/* Resolves a name as musl does, and prints its IPv4 addresses. It runs in pods of the tests. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list, *i;
	char text[INET_ADDRSTRLEN];
	int err = getaddrinfo(argv[argc - 1], NULL, &hints, &list);

	if (err) {
		puts(gai_strerror(err));
		return 1;
	}
	for (i = list; i; i = i->ai_next)
		puts(inet_ntop(AF_INET, &((struct sockaddr_in *)i->ai_addr)->sin_addr, text, sizeof text));
	return 0;
}
